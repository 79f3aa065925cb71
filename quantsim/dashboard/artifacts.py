"""What the dashboard shows of a finished study's best trials: a picture of the pool, and a study file that makes it again."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from optuna.artifacts import FileSystemArtifactStore
from optuna.artifacts.exceptions import ArtifactNotFound
from optuna.study import Study
from optuna.trial import FrozenTrial

from quantsim.config import Experiment
from quantsim.dashboard.trial_file import study_text, trial_experiment
from quantsim.drivers.search.optuna_private import set_study_attribute, study_attributes, trial_id
from quantsim.drivers.search.space import SearchSpace
from quantsim.drivers.search.space_file import load_search_space
from quantsim.drivers.search.storage.opened import Location, storage_file, store_file
from quantsim.drivers.search.study import METRICS
from quantsim.errors import ConfigError, QuantsimError
from quantsim.prices import Prices

__all__ = ["ArtifactFolder", "artifact_folder", "attach_artifacts"]

logger = logging.getLogger(__name__)

_PICTURE, _STUDY_FILE = ".png", ".toml"
_MIME_TYPES = {_PICTURE: "image/png", _STUDY_FILE: "application/toml"}

# Where the dashboard looks for artifacts of a trial that is finished: it takes no attributes any more, but its study does.
_OF_TRIAL = "dashboard:artifacts:{trial_id}:"


class ArtifactFolder:
    """Optuna's artifact store in a folder, made when the first artifact comes, so that a dashboard may be there before."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._files = folder, FileSystemArtifactStore(folder)

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """The artifact's bytes; raises Optuna's ArtifactNotFound where it is not there."""
        return self._files.open_reader(artifact_id)

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Keeps an artifact."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._files.write(artifact_id, content_body)

    def remove(self, artifact_id: str) -> None:
        """Deletes an artifact. One that is gone already is fine: the dashboard could not delete its study otherwise."""
        with contextlib.suppress(ArtifactNotFound):
            self._files.remove(artifact_id)

    def holds(self, artifact_id: str) -> bool:
        """Whether the artifact is there."""
        return (self._folder / artifact_id).is_file()


def artifact_folder(location: Location, store_location: str) -> Path | None:
    """Where the artifacts of a storage lie: ``NAME-artifacts`` beside its file, or beside the checkpoint store's.

    Args:
        location: of the studies, as :func:`~quantsim.drivers.search.storage.opened.opened_storage` takes it.
        store_location: of the checkpoint store, a path or a URL, for studies on a server.

    Returns:
        The folder, which need not be there; None where neither is a file.

    Raises:
        DriverError: a location is neither a path of a known kind nor a URL.
    """
    path = storage_file(location) or store_file(store_location)
    return None if path is None else path.with_name(f"{path.stem}-artifacts")


def attach_artifacts(
    study: Study,
    trials: Sequence[FrozenTrial],
    experiment: Experiment,
    prices: Prices,
    folder: Path,
    space: SearchSpace | None = None,
) -> int:
    """Attaches ``trial-N.png`` and ``trial-N.toml`` to trials, for the dashboard.

    The picture is that of ``quantsim simulate --plot``: value against HODL and the weights, over all splits in one run. The
    file is a study that simulates this pool. What a trial has already is passed over; what is lost from the folder is made
    again. Without matplotlib there are no pictures. Trouble with one trial, or with the folder, is logged as a warning and
    raises nothing: the search is done, and its results are stored.

    Args:
        study: theirs.
        trials: completed ones.
        experiment: what the study searched.
        prices: must cover all its periods.
        folder: where artifacts are kept; made if it is not there.
        space: what trials were drawn from; unless given, it is read again.

    Returns:
        How many files were written.
    """
    space = space or load_search_space(experiment)
    maker = _Maker(study, experiment, prices, space)
    store, suffixes, count = ArtifactFolder(folder), _suffixes(), 0
    for trial in trials:
        try:
            known = _attached(study, trial)
            for suffix in suffixes:
                name = f"trial-{trial.number}{suffix}"
                if name in known and store.holds(known[name]):
                    continue
                _keep(study, trial, store, name, maker.content(trial, suffix), known.get(name))
                count += 1
        except (QuantsimError, OSError) as error:
            logger.warning(
                "trial %d of study %s has no artifacts for the dashboard (%s: %s); they are tried again when the same search "
                "is run again",
                trial.number,
                study.study_name,
                type(error).__name__,
                error,
            )
    return count


@dataclass(frozen=True)
class _Maker:
    """Makes the content of artifacts."""

    study: Study
    experiment: Experiment
    prices: Prices
    space: SearchSpace

    def content(self, trial: FrozenTrial, suffix: str) -> bytes:
        own = trial_experiment(
            self.experiment.recorded(self.prices),
            self.space.to_params(trial.params),
            name=f"{self.experiment.name}, trial {trial.number}",
            description=f"Trial {trial.number} of study {self.study.study_name}.",
        )
        if suffix == _STUDY_FILE:
            return study_text(own).encode()
        return _picture(own, self.prices, trial.user_attrs.get(METRICS, {}))


def _picture(experiment: Experiment, prices: Prices, stored: Mapping[str, Mapping[str, Any]]) -> bytes:
    """PNG of one uninterrupted run over all splits."""
    # Pictures are drawn above drivers; the search itself does without.
    from quantsim.report.paths import hodl_values
    from quantsim.report.plots import pool_figure, save_figure
    from quantsim.simulator import simulate

    result = simulate(experiment, None, prices, split="all")
    metrics = {split: {name: float(value) for name, value in table.items()} for split, table in stored.items()}
    figure = pool_figure(experiment, result, hodl_values(result), {**metrics, "all": result.metrics})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"pool{_PICTURE}"
        save_figure(figure, path)
        return path.read_bytes()


def _suffixes() -> tuple[str, ...]:
    from quantsim.report.canvas import require_matplotlib

    try:
        require_matplotlib()
    except ConfigError as error:
        logger.info("no pictures for the dashboard: %s", error)
        return (_STUDY_FILE,)
    return (_PICTURE, _STUDY_FILE)


def _attached(study: Study, trial: FrozenTrial) -> dict[str, str]:
    """File name → artifact id, of what a trial has."""
    prefix = _OF_TRIAL.format(trial_id=trial_id(trial))
    found = [json.loads(value) for key, value in study_attributes(study).items() if key.startswith(prefix)]
    return {meta["filename"]: meta["artifact_id"] for meta in found if meta is not None}  # null where a user deleted it


def _keep(
    study: Study, trial: FrozenTrial, store: ArtifactFolder, name: str, content: bytes, artifact_id: str | None
) -> None:
    """Writes an artifact, and then, unless it has an id already, the attribute that names it: none names what is not there."""
    identifier = artifact_id or str(uuid.uuid4())
    store.write(identifier, io.BytesIO(content))
    if artifact_id is None:
        meta = {
            "artifact_id": identifier,
            "filename": name,
            "mimetype": _MIME_TYPES[Path(name).suffix],
            "encoding": None,
        }
        key = _OF_TRIAL.format(trial_id=trial_id(trial)) + identifier
        set_study_attribute(study, key, json.dumps(meta))
