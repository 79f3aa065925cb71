"""Artifacts of a study's best trials for the dashboard: a picture of the pool, and a study file that simulates it."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import tempfile
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from optuna.artifacts import FileSystemArtifactStore
from optuna.artifacts.exceptions import ArtifactNotFound
from optuna.study import Study
from optuna.trial import FrozenTrial

from quantsim.config import Experiment
from quantsim.dashboard.trial_file import study_text, trial_experiment
from quantsim.drivers.search.study import METRICS
from quantsim.errors import ConfigError, QuantsimError
from quantsim.optuna_private import set_study_attribute, study_attributes, trial_id
from quantsim.prices import Prices
from quantsim.report.canvas import require_matplotlib
from quantsim.report.paths import hodl_values
from quantsim.report.plots import pool_figure, save_figure
from quantsim.search_space import SearchSpace, load_search_space
from quantsim.simulator import Result, simulate
from quantsim.storages.location import Location, storage_file, store_file

__all__ = ["ArtifactFolder", "artifact_folder", "attach_artifacts", "compile_pictures"]

logger = logging.getLogger(__name__)

_MIME_TYPES = {".png": "image/png", ".toml": "application/toml"}

# Optuna's upload_artifact sets an attribute of the trial, which is an error for a finished trial. The dashboard (0.21) also
# reads artifacts of a trial from this attribute of the study.
_OF_TRIAL = "dashboard:artifacts:{trial_id}:"


class ArtifactFolder(FileSystemArtifactStore):
    """Optuna's artifact store in a folder. The first artifact creates the folder, so a dashboard can open the store before."""

    def __init__(self, folder: Path) -> None:
        """Creates nothing."""
        super().__init__(folder)
        self._folder = folder

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Stores an artifact."""
        self._folder.mkdir(parents=True, exist_ok=True)
        super().write(artifact_id, content_body)

    def remove(self, artifact_id: str) -> None:
        """Deletes an artifact if it exists. Otherwise the dashboard could not delete a study whose artifacts are lost."""
        with contextlib.suppress(ArtifactNotFound):
            super().remove(artifact_id)

    def holds(self, artifact_id: str) -> bool:
        """Whether the artifact exists."""
        return (self._folder / artifact_id).is_file()


def artifact_folder(location: Location, store_location: str) -> Path | None:
    """Returns the folder for artifacts: ``NAME-artifacts`` beside the file of the storage, or of the checkpoint store.

    Args:
        location: location of the studies, as for :func:`~quantsim.storages.opened.opened_storage`.
        store_location: path or URL of the checkpoint store; used if the studies are on a server.

    Returns:
        The folder, which may not exist yet; None if both are on servers.

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
    file is a study that simulates this pool. Existing artifacts are skipped, unless their file is lost. Without matplotlib
    there are no pictures. An error with one trial, or with the folder, is only logged as a warning, because the results of
    the search are stored already.

    Args:
        study: study of the trials.
        trials: completed trials.
        experiment: experiment of the study.
        prices: prices that cover all its periods.
        folder: folder for the files; created if it does not exist.
        space: search space of the study; by default, that of the experiment.

    Returns:
        The number of files that were written.
    """
    work = _Work(study, experiment, prices, space or load_search_space(experiment), ArtifactFolder(folder))
    suffixes, count = _suffixes(), 0
    for trial in trials:
        try:
            for suffix in suffixes:
                count += work.attach(trial, suffix)
        except (QuantsimError, OSError) as error:
            logger.warning(
                "trial %d of study %s has no artifacts for the dashboard (%s: %s); run the same search again to retry",
                trial.number,
                study.study_name,
                type(error).__name__,
                error,
            )
    return count


def compile_pictures(experiment: Experiment, prices: Prices) -> threading.Thread:
    """Compiles what :func:`attach_artifacts` needs for pictures, in a thread, which it returns.

    It leaves errors to :func:`attach_artifacts`, which reports them.
    """

    def run() -> None:
        with contextlib.suppress(QuantsimError, OSError):
            if ".png" in _suffixes():
                _simulated(experiment.recorded(prices), prices)

    thread = threading.Thread(target=run, name="quantsim-pictures")  # no daemon: Python must not end while it compiles
    thread.start()
    return thread


def _simulated(experiment: Experiment, prices: Prices) -> Result:
    return simulate(experiment, None, prices, split="all")


def _suffixes() -> tuple[str, ...]:
    try:
        require_matplotlib()
    except ConfigError as error:
        logger.info("no pictures for the dashboard: %s", error)
        return (".toml",)
    return (".png", ".toml")


@dataclass(frozen=True)
class _Work:
    """Writes the artifacts of one study's trials."""

    study: Study
    experiment: Experiment
    prices: Prices
    space: SearchSpace
    store: ArtifactFolder

    def attach(self, trial: FrozenTrial, suffix: str) -> bool:
        """Writes an artifact and, if it is new, the attribute that names it. Returns False if the trial has it already."""
        name, prefix = f"trial-{trial.number}{suffix}", _OF_TRIAL.format(trial_id=trial_id(trial))
        found = [json.loads(text) for key, text in study_attributes(self.study).items() if key.startswith(prefix)]
        # A deleted artifact is null.
        known = next((each["artifact_id"] for each in found if each is not None and each["filename"] == name), None)
        if known is not None and self.store.holds(known):
            return False
        identifier = known or str(uuid.uuid4())
        self.store.write(identifier, io.BytesIO(self._content(trial, suffix)))
        if known is None:
            kind = {"mimetype": _MIME_TYPES[suffix], "encoding": None}
            text = json.dumps({"artifact_id": identifier, "filename": name, **kind})
            set_study_attribute(self.study, prefix + identifier, text)
        return True

    def _content(self, trial: FrozenTrial, suffix: str) -> bytes:
        own = trial_experiment(
            self.experiment.recorded(self.prices),
            self.space.to_params(trial.params),
            name=f"{self.experiment.name}, trial {trial.number}",
            description=f"Trial {trial.number} of study {self.study.study_name}.",
        )
        return study_text(own).encode() if suffix == ".toml" else self._picture(own, trial)

    def _picture(self, own: Experiment, trial: FrozenTrial) -> bytes:
        """Returns the picture (PNG) of one uninterrupted run over all splits."""
        result = _simulated(own, self.prices)
        stored = trial.user_attrs.get(METRICS, {})
        metrics = {split: {name: float(value) for name, value in table.items()} for split, table in stored.items()}
        figure = pool_figure(own, result, hodl_values(result), {**metrics, "all": result.metrics})
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "pool.png"
            save_figure(figure, path)
            return path.read_bytes()
