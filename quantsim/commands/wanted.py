"""What a user says of the study that a stored parameter set is wanted for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from quantsim.commands.session import load_experiment
from quantsim.errors import ConfigError

if TYPE_CHECKING:
    from quantsim.checkpoints import Run
    from quantsim.config import Experiment

__all__ = ["Wanted"]


@dataclass(frozen=True)
class Wanted:
    """What the user says of the study that a stored parameter set is wanted for.

    Attributes:
        study: name or file; None for the stored study of the run that the set is of.
        settings: changes to either.
        run: the only run that a method picks from; its first characters.
        rule_files: files of users' rules in a stored study.
        as_study: whether the set is taken into a study that differs from its own in what decides the figures.
    """

    study: str | None = None
    settings: Sequence[str] = ()
    run: str | None = None
    rule_files: Sequence[Path] = ()
    as_study: bool = False

    def given(self) -> Experiment | None:
        """The study that the user names, with the changes; None where none is named."""
        if self.study is not None and self.rule_files:
            raise ConfigError(
                f"--rule-file {self.rule_files[0]} is of a stored study, and --study {self.study} names another: leave one out"
            )
        return None if self.study is None else load_experiment(self.study, self.settings)

    def stored(self, run: Run) -> Experiment:
        """The study of a run, with the changes."""
        from quantsim.checkpoints.stored import study_of_run

        experiment = study_of_run(run, self.rule_files)
        return experiment.override(self.settings) if self.settings else experiment

    def check_unused(self, needed: str) -> None:
        """Raises ConfigError where an option is given that means nothing without a stored set."""
        given = {"--run": self.run, "--rule-file": self.rule_files, "--as-study": self.as_study}
        for option, value in given.items():
            if value:
                raise ConfigError(f"{option} is of a stored parameter set: name one with {needed}, or leave it out")
