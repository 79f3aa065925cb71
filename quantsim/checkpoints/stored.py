"""Opens the study of a stored run, without running any file that it names. Studies of runs are only opened here."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quantsim.checkpoints.checkpoint import Checkpoint, Run

if TYPE_CHECKING:
    from quantsim.config import Experiment
    from quantsim.config.identity import Decides

__all__ = ["content_of", "differences_of", "of_same_study", "rule_notes", "rule_sources", "study_of_run"]

_RULE_SOURCES = "rule_sources"


def rule_notes(experiment: Experiment) -> dict[str, Any]:
    """Returns the notes of a run with the hashes of users' rule files, for :func:`study_of_run`; empty if there are none."""
    return {_RULE_SOURCES: experiment.rule_sources} if experiment.rule_sources else {}


def rule_sources(run: Run) -> dict[str, str]:
    """Returns name of a user's rule → SHA-256 of its file, for the study of a run; empty if the run does not have them."""
    return dict(run.notes.get(_RULE_SOURCES, {}))


def study_of_run(run: Run, rule_files: Iterable[str | Path] = ()) -> Experiment:
    """Returns the study of a run.

    Args:
        run: run from the store.
        rule_files: files of users' rules in the study. Without them it can be read, but not simulated.

    Raises:
        ConfigError: the study is not valid in this version, or the hash of a file does not match.

    Example:
        >>> run = store.find_runs()[0]  # doctest: +SKIP
        >>> study = study_of_run(run, rule_files=["my_rules.py"])  # doctest: +SKIP
    """
    from quantsim.config import Experiment

    return Experiment.from_stored(run.config, rule_sources(run), rule_files, f"the study of run {run.key}")


def content_of(run: Run, purpose: Decides) -> dict[str, Any]:
    """Returns :meth:`~quantsim.config.Experiment.content` for the study of a run."""
    from quantsim.config import Experiment
    from quantsim.config.identity import content

    return content(Experiment, run.config, purpose, rule_sources(run))


def of_same_study(runs: Iterable[Run], study: Experiment | Run, purpose: Decides) -> list[Run]:
    """Returns the runs whose study agrees with the given study (or that of a run) in all keys for ``purpose``.

    Configurations are compared, not stored identities, so runs of older versions match, too.
    """
    wanted = content_of(study, purpose) if isinstance(study, Run) else study.content(purpose)
    return [run for run in runs if content_of(run, purpose) == wanted]


def differences_of(checkpoint: Checkpoint, run: Run, experiment: Experiment) -> tuple[str, ...]:
    """Lists the differences of an experiment from the study of a checkpoint's run in what decides metrics.

    Args:
        checkpoint: checkpoint whose parameters the experiment uses.
        run: run of the checkpoint.
        experiment: experiment with the same rule and tokens.

    Returns:
        ``key: stored value → value of the experiment``, for each key that decides metrics, and for each parameter that only
        one of the two has. Empty if the stored metrics are valid for the experiment.
    """
    from quantsim.config.identity import Decides, differences

    stored, human = checkpoint.raw, experiment.human_parameters(experiment.initial_parameters())
    there = {one.raw_name: one.human_name for one in experiment.layout}
    unused = {name for pool in experiment.pools for name in pool.ignored}
    added = {name: human.get(name) for raw_name, name in there.items() if raw_name not in stored}
    gone = {name: values for name, values in stored.items() if name not in there and name not in unused}
    return (
        *differences(content_of(run, Decides.VALUE), experiment.content(Decides.VALUE)),
        *(f"parameters.{name}: not set → {value}" for name, value in added.items()),
        *(f"parameters.{name}: {list(values)} → not set" for name, values in gone.items()),
    )
