"""Two stored results side by side, and what of them does not compare."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from quantsim.array_types import FloatArray
from quantsim.baseline import HODL
from quantsim.checkpoints.as_json import set_json
from quantsim.checkpoints.checkpoint import IMPORTED, Checkpoint, Run, chronological
from quantsim.checkpoints.runs.chosen import chosen_of_run
from quantsim.checkpoints.runs.entries import RunEntry, RunSummary
from quantsim.checkpoints.stored import rule_sources
from quantsim.errors import SelectionError
from quantsim.json_values import json_number

if TYPE_CHECKING:
    from quantsim.checkpoints.store import CheckpointStore
    from quantsim.settings.base import Section
    from quantsim.statistics import Interval

__all__ = ["KeyDifference", "RunComparison", "Side", "SplitPair", "compare_runs"]


_DAYS_A_YEAR = 365.0
_COSTS = ("fees", "series")


@dataclass(frozen=True)
class Side:
    """One of the two results.

    Attributes:
        entry: the run.
        checkpoints: the compared set; for folds one set per fold.
        method: how they were selected; "given" for a checkpoint that was named.
    """

    entry: RunEntry
    checkpoints: tuple[Checkpoint, ...]
    method: str

    @property
    def label(self) -> str:
        """The key of the set, or of the run of folds."""
        return self.checkpoints[0].key if len(self.checkpoints) == 1 else self.entry.key


@dataclass(frozen=True)
class KeyDifference:
    """A key in which the studies differ.

    Attributes:
        key: dotted key; "prices" stands for the hash of all loaded prices.
        first: value of the first study; None if it is not set.
        second: value of the second one.
        decides: what the key decides: "metrics", "objective", "run", or "nothing".
    """

    key: str
    first: Any
    second: Any
    decides: str


@dataclass(frozen=True)
class SplitPair:
    """Both results on one split.

    Attributes:
        split: name of the split.
        metrics: metric → both values; None if a value is not stored.
        n_days: number of daily returns that both have on the same days; None if there are none.
        difference: the mean daily log return of the first minus that of the second, times 365, with a paired bootstrap
            interval; None if there are no common days.
        reason: why the split does not compare, or why there is no interval; empty if there is one.
        same_data: whether prices and dates are the same, so that metrics compare.
    """

    split: str
    metrics: Mapping[str, tuple[float | None, float | None]]
    n_days: int | None = None
    difference: Interval | None = None
    reason: str = ""
    same_data: bool = False


@dataclass(frozen=True)
class RunComparison:
    """Two stored results side by side.

    Attributes:
        first: the first result.
        second: the second one.
        differences: the keys in which the studies differ.
        parameters: parameter in human units → both values; empty for folds.
        splits: both on each split, in chronological order; for folds, on the test data of all folds in a row.
        cautions: what does not compare, and why; empty if all metrics compare.
    """

    first: Side
    second: Side
    differences: tuple[KeyDifference, ...]
    parameters: Mapping[str, tuple[tuple[float, ...] | None, tuple[float, ...] | None]]
    splits: tuple[SplitPair, ...]
    cautions: tuple[str, ...] = field(default=())

    @property
    def other_objective(self) -> bool:
        """Whether the studies have other objectives."""
        return any(one.decides == "objective" for one in self.differences)

    def to_json(self) -> dict[str, Any]:
        """Returns the comparison as JSON values."""
        return {
            **{name: _side_json(side) for name, side in (("first", self.first), ("second", self.second))},
            "cautions": list(self.cautions),
            "study": [vars(one) for one in self.differences],
            "splits": {one.split: _pair_json(one) for one in self.splits},
        }


def compare_runs(store: CheckpointStore, first: str, second: str) -> RunComparison:
    """Compares two results of a store: the selected sets of runs, or checkpoints.

    Args:
        store: the store.
        first: key of a run, or of a checkpoint.
        second: likewise.

    Raises:
        CheckpointError: there is no such run or checkpoint.
        SelectionError: a run has no set that can be selected, both are the same, or only one has folds.
    """
    one, other = (_side(store, key) for key in (first, second))
    if one.checkpoints == other.checkpoints:
        raise SelectionError(f"{first} and {second} are the same result, {one.label}: name two")
    if bool(one.entry.folds) != bool(other.entry.folds):
        raise SelectionError(
            f"{one.label} and {other.label} do not compare: one has folds, each with a set of its own, and the other is one "
            "set; compare folds with folds, or name a checkpoint of a fold"
        )
    runs = one.entry.head.run, other.entry.head.run
    differences = tuple(_differences(*runs))
    parameters = {} if one.entry.folds else _parameters(one.checkpoints[0], other.checkpoints[0])
    pairs = tuple(_fold_pairs(store, one, other) if one.entry.folds else _set_pairs(store, one, other))
    return RunComparison(one, other, differences, parameters, pairs, tuple(_cautions(one, other, differences, pairs)))


def _side(store: CheckpointStore, key: str) -> Side:
    if key.count(":") == 2:
        checkpoint = store.resolve(key)
        entry = store.entry(checkpoint.run_id)
        alone = next(one for one in entry.members if one.run.run_id == checkpoint.run_id)
        return Side(_alone(entry, alone), (checkpoint,), "given")
    entry = store.entry(key)
    found = [chosen_of_run(store, summary) for summary in entry.folds or (entry.head,)]
    return Side(entry, tuple(checkpoint for checkpoint, _ in found), found[0][1])


def _alone(entry: RunEntry, summary: RunSummary) -> RunEntry:
    """Returns the entry of one run out of those that belong together."""
    return replace(entry, members=(replace(summary, position=None, parent=None),))


def _differences(first: Run, second: Run) -> Iterator[KeyDifference]:
    """Yields the keys in which two studies differ; those of older versions have the defaults of missing keys."""
    from quantsim.config import Experiment
    from quantsim.config.identity import Decides, content, differing_leaves

    if first.data_id != second.data_id:
        yield KeyDifference("prices", first.data_id[:12], second.data_id[:12], "metrics")
    objective = Decides.OBJECTIVE | Decides.PERIODS
    rest = ~(Decides.VALUE | objective)
    seen: set[str] = set()
    for purpose, decides in ((Decides.VALUE, "metrics"), (objective, "objective"), (rest, "run")):
        one, other = (content(Experiment, run.config, purpose, rule_sources(run)) for run in (first, second))
        for key, a, b in differing_leaves(one, other):
            seen.add(key)
            yield KeyDifference(key, a, b, decides)
    for key, a, b in differing_leaves(first.config, second.config):
        if key not in seen and _is_plain(Experiment, key):
            yield KeyDifference(key, a, b, "nothing")


def _is_plain(study: type[Section], key: str) -> bool:
    """Whether a key decides nothing, and is known: differences of other keys are told by what they decide."""
    from quantsim.config.identity import Decides, decided, part_of

    table, _, rest = key.partition(".")
    part = part_of(study, table)
    if part is None:
        return decided(study, table) == Decides.NOTHING
    name = rest.partition(".")[0]
    return name in part[0].model_fields and decided(part[0], name) == Decides.NOTHING


def _cautions(
    one: Side, other: Side, differences: Sequence[KeyDifference], pairs: Sequence[SplitPair]
) -> Iterator[str]:
    """Yields what does not compare."""
    tables = {difference.key.partition(".")[0] for difference in differences if difference.decides == "metrics"}
    for reason in dict.fromkeys(pair.reason for pair in pairs if not pair.same_data):
        splits = ", ".join(pair.split for pair in pairs if pair.reason == reason and not pair.same_data)
        yield f"on {splits}, metrics and daily returns do not compare: {reason}"
    if tables & set(_COSTS):
        keys = ", ".join(one.key for one in differences if one.key.partition(".")[0] in _COSTS)
        yield f"the costs differ ({keys}), so a difference of the results is partly one of the costs"
    if any(difference.decides == "objective" for difference in differences):
        yield "the objectives differ: values of the metric 'objective' and of metrics of periods do not compare"
    if len({row.driver == IMPORTED for side in (one, other) for row in side.checkpoints}) > 1:
        yield "another program computed the metrics of one of them"


def _parameters(
    one: Checkpoint, other: Checkpoint
) -> dict[str, tuple[tuple[float, ...] | None, tuple[float, ...] | None]]:
    names = dict.fromkeys((*one.human, *other.human))
    return {name: (one.human.get(name), other.human.get(name)) for name in names}


def _set_pairs(store: CheckpointStore, one: Side, other: Side) -> Iterator[SplitPair]:
    (first,), (second,) = one.checkpoints, other.checkpoints
    runs = one.entry.head.run, other.entry.head.run
    for split in chronological({*first.metrics, *second.metrics}):
        names = dict.fromkeys((*first.metrics.get(split, {}), *second.metrics.get(split, {})))
        ordered = sorted(names, key=lambda name: name != one.entry.head.objective)
        metrics = {name: (first.value(split, name), second.value(split, name)) for name in ordered}
        reason = _other_data(store, split, *runs)
        days = first.daily_log_returns.get(split), second.daily_log_returns.get(split)
        yield _paired(split, metrics, days, reason)


def _fold_pairs(store: CheckpointStore, one: Side, other: Side) -> Iterator[SplitPair]:
    """Yields the pair of the test data of all folds, one after the other."""
    folds = one.entry.folds, other.entry.folds
    alike = [fold.position for fold in folds[0]] == [fold.position for fold in folds[1]]
    reasons = (_other_data(store, "test", first.run, second.run) for first, second in zip(*folds, strict=False))
    reason = next(filter(None, reasons), "") if alike else "they have different folds"
    objective = one.entry.head.objective or ""
    values = [[one_set.value("test", objective) for one_set in side.checkpoints] for side in (one, other)]
    metrics = {
        f"{objective}, fold {fold.position}": (first, second)
        for fold, first, second in zip(folds[0], *values, strict=False)
    }
    chained = tuple(_chained(side.checkpoints) for side in (one, other))
    yield _paired("test", metrics if alike else {}, (chained[0], chained[1]), reason)


def _chained(sets: Sequence[Checkpoint]) -> FloatArray | None:
    days = [one.daily_log_returns.get("test") for one in sets]
    known = [one for one in days if one is not None]
    return np.concatenate(known) if len(known) == len(days) else None


def _other_data(store: CheckpointStore, split: str, first: Run, second: Run) -> str:
    """Returns why the days of a split differ; empty if they are the same.

    The identity of prices covers all dates that were loaded, which may be others for the same prices. Then equal daily returns
    of holding show that the prices of a split are the same.
    """
    one, other = (_dates(run, split) for run in (first, second))
    if one is None or other is None:
        return "the dates are not known"
    if one != other:
        return "the dates differ"
    if first.data_id == second.data_id:
        return ""
    held = [store.baselines(run.run_id).get(HODL) for run in (first, second)]
    days = [None if baseline is None else baseline.daily_log_returns.get(split) for baseline in held]
    if days[0] is None or days[1] is None or len(days[0]) != len(days[1]):
        return "the prices differ"
    return "" if np.allclose(days[0], days[1], 1e-9, 1e-12) else "the prices differ"


def _dates(run: Run, split: str) -> tuple[Any, Any] | None:
    from pydantic import ValidationError

    from quantsim.config.sections import Periods

    try:
        return Periods.model_validate(run.config.get("periods")).splits().get(split)
    except ValidationError:  # a study of another version
        return None


def _paired(
    split: str,
    metrics: Mapping[str, tuple[float | None, float | None]],
    days: tuple[FloatArray | None, FloatArray | None],
    reason: str,
) -> SplitPair:
    from quantsim.statistics import paired_interval

    first, second = days
    same_data = not reason
    if not reason and (first is None or second is None):
        reason = "daily returns are not stored"
    if reason or first is None or second is None:
        return SplitPair(split, metrics, reason=reason, same_data=same_data)
    if len(first) != len(second):
        return SplitPair(split, metrics, reason=f"{len(first)} and {len(second)} daily returns", same_data=same_data)
    found = paired_interval(lambda returns: _DAYS_A_YEAR * returns.mean(axis=-1), first, second)
    return SplitPair(split, metrics, len(first), found, found.reason, same_data)


def _side_json(side: Side) -> dict[str, Any]:
    return {
        "run": side.entry.key,
        "name": side.entry.name,
        "driver": side.entry.driver,
        "method": side.method,
        "sets": [set_json(one) for one in side.checkpoints],
    }


def _pair_json(pair: SplitPair) -> dict[str, Any]:
    return {
        "metrics": {name: [json_number(value) for value in values] for name, values in pair.metrics.items()},
        "n_days": pair.n_days,
        "difference_per_year": None if pair.difference is None else pair.difference.to_json(),
        "reason": pair.reason,
        "same_data": pair.same_data,
    }
