"""Opens the study of a stored run. The one place where that is done: what a run names is never run by being read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quantsim.checkpoints.checkpoint import Run

if TYPE_CHECKING:
    from quantsim.config import Experiment

__all__ = ["rule_notes", "rule_sources", "study_of_run"]

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
