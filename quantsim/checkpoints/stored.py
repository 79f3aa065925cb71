"""Opens the study of a stored run. The one place where that is done: what a run names is never run by being read."""

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
    """What a driver notes of a run so that :func:`study_of_run` knows the files of users' rules again; empty without any."""
    return {_RULE_SOURCES: experiment.rule_sources} if experiment.rule_sources else {}


def rule_sources(run: Run) -> dict[str, str]:
    """Name → SHA-256 of its file, of the users' rules in a run's study; empty where the run was stored without."""
    return dict(run.notes.get(_RULE_SOURCES, {}))


def study_of_run(run: Run, rule_files: Iterable[str | Path] = ()) -> Experiment:
    """The study that a run was made with.

    Args:
        run: as the store returns it.
        rule_files: the files of users' rules in it. Without them the study can be read, and not be simulated.

    Raises:
        ConfigError: the study is not valid in this version, or a file is not the one that the run used.

    Example:
        >>> run = store.find_runs()[0]  # doctest: +SKIP
        >>> study = study_of_run(run, rule_files=["my_rules.py"])  # doctest: +SKIP
    """
    from quantsim.config import Experiment

    return Experiment.from_stored(run.config, rule_sources(run), rule_files, f"the study of run {run.run_id[:8]}")


def content_of(run: Run, purpose: Decides) -> dict[str, Any]:
    """What :meth:`~quantsim.config.Experiment.content` is of an experiment, of a run's study."""
    from quantsim.config import Experiment
    from quantsim.config.identity import content

    return content(Experiment, run.config, purpose, rule_sources(run))


def of_same_study(runs: Iterable[Run], study: Experiment | Run, purpose: Decides) -> list[Run]:
    """The runs whose study decides ``purpose`` as that study, or that run's, does, whatever version stored them.

    They are compared by their configurations, not by the identities that were stored with them.
    """
    wanted = content_of(study, purpose) if isinstance(study, Run) else study.content(purpose)
    return [run for run in runs if content_of(run, purpose) == wanted]


def differences_of(checkpoint: Checkpoint, run: Run, experiment: Experiment) -> tuple[str, ...]:
    """Where an experiment decides figures otherwise than the study of the run that a checkpoint is of.

    Args:
        checkpoint: whose parameters are wanted in the experiment.
        run: that wrote it.
        experiment: of the same rule and tokens.

    Returns:
        ``key: stored value → value of the experiment``, of each key that decides what a parameter set is worth, and of each
        parameter that only one of the two has. Empty where the stored metrics hold.
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
