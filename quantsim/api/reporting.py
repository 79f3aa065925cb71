"""Makes the report of a stored parameter set: one HTML file that needs no network."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from quantsim.api.simulation import Simulation, simulate
from quantsim.baseline import BASELINES
from quantsim.checkpoints import Checkpoint, CheckpointStore, Selection
from quantsim.checkpoints.finding import start_from
from quantsim.checkpoints.methods import METHODS
from quantsim.checkpoints.picking import BEST, Pick, pick
from quantsim.checkpoints.runs.checked import NEWEST
from quantsim.checkpoints.training import TrainingCurves, training_curves
from quantsim.config import Experiment
from quantsim.errors import CheckpointError, ConfigError, QuantsimError, SelectionError, nearest, reason_of
from quantsim.onchain import contract_problems
from quantsim.onchain.simulation import ChainSimulation, chain_simulation
from quantsim.prices import PriceData, Prices
from quantsim.project import default_store
from quantsim.report.comparison import SELECTED, Comparison
from quantsim.report.deployment import deployment
from quantsim.report.html import Content, Curves, check_libraries, page
from quantsim.report.notes import notes_of_simulation
from quantsim.report.results import compare_checkpoint, compare_selection, compare_simulation
from quantsim.report.study_note import describe_prices
from quantsim.search_space import SearchSpace, load_search_space
from quantsim.simulator import Evaluator, baseline_values
from quantsim.validation import Validation, validate_pick

if TYPE_CHECKING:
    from quantsim.api.stores import StoreLike
    from quantsim.checkpoints.starts import Start
    from quantsim.out_of_sample import WalkForwardOutcome

__all__ = ["HtmlReport", "make_report"]

_RUN = re.compile(r"[0-9a-f]{1,32}")


@dataclass(frozen=True, repr=False)
class HtmlReport:
    """A report.

    Attributes:
        title: its title.
        checkpoint: key of the stored parameter set.
        verdict: verdict of its validation, as in :attr:`quantsim.validation.Validation.verdict`; None if it is not validated.
        html: the page; it needs no network.
    """

    title: str
    checkpoint: str
    verdict: str | None
    html: str

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes the report, and returns the path.

        Raises:
            ConfigError: the file cannot be written.
        """
        place = Path(path)
        try:
            place.write_text(self.html, encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"the report cannot be written to {place}: {reason_of(error)}") from error
        return place

    def to_json(self) -> dict[str, Any]:
        """Returns what it is a report of, as JSON values, without the page."""
        return {"title": self.title, "checkpoint": self.checkpoint, "verdict": self.verdict}

    def __repr__(self) -> str:
        return f"HtmlReport({self.title!r}, {len(self.html) / 1e6:.1f} MB)"


def make_report(
    store: StoreLike | None = None,
    which: str = NEWEST,
    *,
    study: Experiment | None = None,
    changes: Iterable[str] = (),
    run: str | None = None,
    rule_files: Iterable[str | Path] = (),
    prices: PriceData | None = None,
    series: Mapping[str, Any] | None = None,
    tear_sheet: bool = False,
) -> HtmlReport:
    """Makes the report of a stored parameter set, as ``quantsim report`` does; docs/report.md describes it.

    Nothing is written to the store. The same store and prices give the same report, byte for byte.

    Args:
        store: the checkpoint store, or its location; by default, as for the commands (docs/commands.md).
        which: key of a checkpoint such as ``3f9c01ab:120:0``, a selection method, or a run, of which the best set is taken: its
            id, the first characters of it, a given name, or "newest" (the default).
        study: as in :func:`quantsim.start_from`.
        changes: changes of the study, as in :func:`quantsim.start_from`.
        run: as in :func:`quantsim.start_from`.
        rule_files: files of users' rules in a stored study.
        prices: the prices of the run; by default, those that its study names.
        series: series in memory; see :class:`~quantsim.Evaluator`.
        tear_sheet: whether to add the tear sheet of quantstats (extra ``tearsheet``).

    Raises:
        ConfigError: a library is not installed, or as in :func:`quantsim.start_from`.
        PriceError: the prices are not those of the run.
        CheckpointError, SelectionError: as in :func:`quantsim.start_from`.

    Example:
        >>> found = quantsim.search(study, trials=200)  # doctest: +SKIP
        >>> quantsim.make_report(found.store, found.checkpoint.key).save("report.html")  # doctest: +SKIP
    """
    check_libraries(tear_sheet=tear_sheet)
    rule_files = tuple(rule_files)
    with _open(store) as results:
        found = _found(results, which, study, tuple(changes), run, rule_files)
        method = which if which in METHODS else None
        content = _content(results, found, prices, series, rule_files, method, tear_sheet=tear_sheet)
        verdict = None if content.validation is None else content.validation.verdict
        return HtmlReport(content.title, content.checkpoint.key, verdict, page(content))


@dataclass(frozen=True)
class _Found:
    """A stored set, and the selection that it is judged by."""

    start: Start
    picked: Pick | None
    problem: str = ""


def _open(store: StoreLike | None) -> contextlib.AbstractContextManager[CheckpointStore]:
    """Returns a given store as it is, and an existing one of a location, which is closed afterwards."""
    if isinstance(store, CheckpointStore):
        return contextlib.nullcontext(store)
    return CheckpointStore.open(default_store() if store is None else store)


def _found(
    store: CheckpointStore,
    which: str,
    study: Experiment | None,
    changes: tuple[str, ...],
    run: str | None,
    rule_files: tuple[str | Path, ...],
) -> _Found:
    """Returns the set of a key, a run or a method."""
    named = _run_named(store, which)
    if named is not None and run is not None:
        raise ConfigError(f"{which} and {run} (--run) both name a run: remove one of them")
    which, run = (which, run) if named is None else (BEST, named)
    start = start_from(store, which, study=study, changes=changes, run=run, rule_files=rule_files)
    method, only = (None, start.run.run_id) if start.selection is None else (which, run)
    try:
        return _Found(start, pick(store, method, study=start.experiment, run=only))
    except QuantsimError as error:  # such as a run whose objective is nan
        return _Found(start, None, str(error))


def _run_named(store: CheckpointStore, which: str) -> str | None:
    """Returns the id of the run that an id, its first characters, a given name or "newest" names; None for anything else.

    The newest run is the newest one that is not a fold, because the report of a study shows its walk-forward.
    """
    if ":" in which or which in (BEST, *METHODS):
        return None
    if which == NEWEST and (entry := next((one for one in store.runs() if not one.folds), None)) is not None:
        return entry.run_id
    try:
        return store.run(which).run_id
    except CheckpointError as error:
        if _RUN.fullmatch(which.strip().lower()) or any(entry.title == which for entry in store.runs()):
            raise
        known = nearest(which, (BEST, *METHODS))
        raise SelectionError(
            f"{which!r} is neither a run, nor a checkpoint such as 3f9c01ab:120:0, nor a method; {known}. `quantsim runs` "
            "lists the runs"
        ) from error


def _content(
    store: CheckpointStore,
    found: _Found,
    given: PriceData | None,
    series: Mapping[str, Any] | None,
    rule_files: tuple[str | Path, ...],
    method: str | None,
    *,
    tear_sheet: bool,
) -> Content:
    """Collects what a report is made of."""
    start, experiment = found.start, found.start.experiment
    prices = experiment.prices(given, given_series=series or ())
    evaluator = Evaluator(experiment, prices, series)
    start.check_prices(evaluator.data_id)
    simulation = simulate(experiment, start.params, prices, split="all", series=series)
    checkpoint = store.get(start.checkpoint.checkpoint_id)
    validation, problem = _validation(store, found, checkpoint)
    entry = store.entry(start.run.run_id)
    parts = (start.run.run_id,) if entry.folds else entry.run_ids
    metrics = [experiment.objective.name]
    rows = [row for part in parts for row in store.checkpoints(run_id=part, metrics=metrics)]
    selection = None if start.selection is None or found.picked is None else found.picked.selection
    on_chain, not_on_chain = _on_chain(evaluator, start.params, simulation)
    return Content(
        experiment=experiment,
        run=start.run,
        entry=entry,
        checkpoint=checkpoint,
        selection=selection,
        reason=start.reason,
        comparison=_comparison(store, found, evaluator, checkpoint, simulation, selection),
        validation=validation,
        unvalidated=problem,
        curves=_curves(evaluator, simulation),
        attribution=simulation.attribution("day"),
        by_split=simulation.attribution("split"),
        simulation=simulation,
        trials=rows,
        space=_space(experiment, rows),
        training=_training(store, start.run.run_id if entry.folds else entry.run_id),
        walk_forward=_walk_forward(store, experiment, prices, series, rule_files, method),
        deployment=deployment(experiment, start, prices),
        on_chain=on_chain,
        not_on_chain=not_on_chain,
        prices=describe_prices(experiment, prices),
        notes=notes_of_simulation(simulation.notes),
        tear_sheet=tear_sheet,
    )


def _on_chain(
    evaluator: Evaluator, params: Mapping[str, Any], floating: Simulation
) -> tuple[ChainSimulation | None, str]:
    """Returns the simulation in the contract's arithmetic, or None and the reason if the contracts do not refuse the pool."""
    if any(problem.refused for problem in contract_problems(evaluator.experiment, params)):
        return None, ""
    try:
        return chain_simulation(evaluator, params, floating), ""
    except QuantsimError as error:  # such as an oracle price that does not fit
        return None, str(error)


def _validation(store: CheckpointStore, found: _Found, checkpoint: Checkpoint) -> tuple[Validation | None, str]:
    """Returns the validation, or why there is none."""
    if found.picked is None:
        return None, found.problem
    try:
        return validate_pick(store, found.picked, selected=checkpoint), ""
    except QuantsimError as error:  # such as an imported run without daily returns
        return None, str(error)


def _comparison(
    store: CheckpointStore,
    found: _Found,
    evaluator: Evaluator,
    checkpoint: Checkpoint,
    simulation: Simulation,
    selection: Selection | None,
) -> Comparison:
    """Returns the comparison of the stored metrics; evaluates what is not stored."""
    experiment = found.start.experiment
    if selection is None:
        stored = compare_checkpoint(store, experiment, checkpoint)
    else:
        (stored,) = compare_selection(store, experiment, replace(selection, checkpoints=(checkpoint,)))
    return compare_simulation(evaluator, simulation, selection) if stored.unknown else stored


def _curves(evaluator: Evaluator, simulation: Simulation) -> Curves:
    """Returns daily values of the pool and the baselines."""
    days = evaluator.prices.bars_per_day
    first, n_bars = evaluator.splits["train"][0], simulation.times.size
    found = {name: baseline_values(evaluator, name, first, n_bars, with_last_bar=True) for name in BASELINES}
    found = {SELECTED: np.append(simulation.value[::days], simulation.value[-1]), **found}
    return Curves(
        times=simulation.times[::days],
        values={name: values[:-1] for name, values in found.items()},
        ends={name: float(values[-1]) for name, values in found.items()},
        weights=simulation.weights[::days],
        tokens=simulation.tokens,
        splits={split: (at - first) // days for split, (at, _) in evaluator.splits.items()},
    )


def _space(experiment: Experiment, rows: Sequence[Checkpoint]) -> SearchSpace | None:
    """Returns the search space of a run with trials of a search; None if there are none, or its file is gone."""
    if experiment.is_only_read or not any(row.driver == "search" for row in rows):
        return None
    try:
        return load_search_space(experiment)
    except ConfigError:
        return None


def _training(store: CheckpointStore, run_id: str) -> TrainingCurves | None:
    try:
        return training_curves(store, run_id)
    except SelectionError:  # no gradient steps
        return None


def _walk_forward(
    store: CheckpointStore,
    experiment: Experiment,
    prices: Prices,
    series: Mapping[str, Any] | None,
    rule_files: tuple[str | Path, ...],
    method: str | None,
) -> WalkForwardOutcome | None:
    if not store.groups():
        return None
    from quantsim.out_of_sample import walk_forward_outcome
    from quantsim.out_of_sample.stored import stored_walk_forward

    walk = stored_walk_forward(store, experiment, prices, series=series, rule_files=rule_files, method=method)
    return None if walk is None else walk_forward_outcome(walk, prices, store, series=series)
