"""Options for stored parameter sets and their study, and the opening of a new run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quantsim.commands.output import note
from quantsim.commands.session import load_experiment, open_existing_store, open_store
from quantsim.errors import ConfigError

if TYPE_CHECKING:
    from quantsim.checkpoints import CheckpointStore
    from quantsim.checkpoints.starts import Start
    from quantsim.config import Experiment
    from quantsim.prices import Prices

__all__ = ["StudyOptions", "beginning", "compile_ahead", "note_other_prices", "of_search"]


@dataclass(frozen=True)
class StudyOptions:
    """The options ``--study``, ``--set``, ``--run`` and ``--rule-file``."""

    study: str | None
    settings: Sequence[str]
    run: str | None = None
    rule_files: Sequence[Path] = ()

    def stored(self) -> dict[str, Any]:
        """Returns the options as keyword arguments of :func:`~quantsim.checkpoints.finding.start_from`."""
        given = None if self.study is None else load_experiment(self.study, self.settings)
        changes = () if given is not None else self.settings
        return {"study": given, "changes": changes, "run": self.run, "rule_files": self.rule_files}

    def own(self, default: str, needed: str, *, as_study: bool = False) -> Experiment:
        """Loads the study if no stored set is named.

        Raises:
            ConfigError: an option is given that needs a stored set, which the option ``needed`` names.
        """
        given = {"--run": self.run, "--rule-file": self.rule_files, "--as-study": as_study}
        for option, value in given.items():
            if value:
                raise ConfigError(f"{option} needs a stored parameter set: name one with {needed}, or remove {option}")
        return load_experiment(self.study or default, self.settings)


FindStarts = Callable[["CheckpointStore"], "tuple[Start, ...]"]


def of_search(options: StudyOptions, name: str, top: int) -> FindStarts:
    """Returns a function that finds the best sets of a search."""
    from quantsim.checkpoints.finding import best_of_search

    return lambda store: best_of_search(store, name, top, **options.stored())


@contextlib.contextmanager
def beginning(
    options: StudyOptions,
    default: str,
    store: str,
    named: Sequence[str] | FindStarts | None,
    check: Callable[[Experiment], None] = lambda _: None,
    doing: str = "Starting from",
    *,
    gradients: bool = False,
) -> Iterator[tuple[CheckpointStore, Experiment, Prices, tuple[Start, ...]]]:
    """Opens the inputs of a new run: store, study, prices, and stored sets to start from.

    All checks come before a store is made. Prints the starts, and the differences of their studies.

    Args:
        options: options that name the study.
        default: study to use if neither a study nor a start is named.
        store: location of the store.
        named: keys and methods of ``--from``, or a function that finds the starts.
        check: check of the study, before its prices are read.
        doing: first words of the note on each start.
        gradients: whether the run takes gradients.
    """
    from quantsim.checkpoints.finding import starts_from

    if not named:
        experiment = options.own(default, "--from")
        compile_ahead(experiment, gradients=gradients)
        check(experiment)
        prices = experiment.load_prices()
        with open_store(store) as results:
            yield results, experiment, prices, ()
        return
    with open_existing_store(store) as results:
        starts = named(results) if callable(named) else starts_from(results, named, **options.stored())
        experiment = starts[0].experiment
        compile_ahead(experiment, gradients=gradients)
        check(experiment)
        prices = experiment.load_prices()
        told: set[str] = set()
        for start in starts:
            note(f"{doing} {start.describe()}.")
            for line in start.differences():
                if line not in told:
                    note(f"Note: unlike the run of the start, this one has {line}.")
                told.add(line)
        yield results, experiment, prices, starts


def compile_ahead(experiment: Experiment, *, gradients: bool = False) -> None:
    """Compiles the kernels that a study needs in other processes, while this one reads prices and imports JAX."""
    from quantsim import kernels
    from quantsim.config.pools import kernels_of

    kernels.compile_ahead(kernels_of(experiment.pools, gradients=gradients))


def note_other_prices(runs: Sequence[str]) -> None:
    """Prints the names of starting runs with other prices."""
    if runs:
        note(f"Note: the prices differ from those of run {', '.join(map(repr, runs))}, where this run starts.")
