"""What ``--from`` means: a stored checkpoint by its key, or the pick of a selection method among runs that fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from quantsim.checkpoints import FRONT_METHODS, Checkpoint, Run, Selection, select, top
from quantsim.checkpoints.checkpoint import IMPORTED
from quantsim.checkpoints.methods import METHODS, default_metrics, needs_one_run
from quantsim.checkpoints.pareto import signed
from quantsim.commands.session import load_study, open_existing_store
from quantsim.config import Experiment
from quantsim.config.driver_sections import Objective
from quantsim.errors import ConfigError, SelectionError, nearest
from quantsim.objective import OBJECTIVE
from quantsim.ranking import TIE_METRIC

if TYPE_CHECKING:
    from quantsim.checkpoints import CheckpointStore

__all__ = [
    "BEST",
    "Start",
    "comparable_runs",
    "default_method",
    "find_starts",
    "is_method",
    "starts_of_study",
    "study_and_start",
]

BEST = "best"
"""Stands for ``best_validation`` where there is validation, and for ``best_train`` where there is none."""

_DECIDES_METRICS = ("data", "periods", "pool", "subsidiaries", "update", "fees", "series")
"""The tables of a study that decide what a parameter set is worth. The rest is how it was looked for."""

_DECIDES_PERIODS = ("n_periods", "period_overlap", "n_random_periods", "periods")
_DECIDES_OBJECTIVE = (
    *("metric", "weights", "constraints", "constraint_penalty", "aggregate", "softmin_temperature", "quantile"),
    *_DECIDES_PERIODS,
)
"""The keys of ``objective`` that decide what the stored metric of that name is, and those of its periods."""


@dataclass(frozen=True)
class Start:
    """A stored parameter set to start from.

    Attributes:
        checkpoint: as stored.
        run: that wrote it.
        reason: why this one, in words.
        selection: by which it was picked; None where it was asked for by its key.
    """

    checkpoint: Checkpoint
    run: Run
    reason: str
    selection: Selection | None = None

    def raw_for(self, experiment: Experiment) -> dict[str, NDArray[np.float64]]:
        """The raw parameters that mean in this experiment what they meant in their own, raw name → (n,).

        Raises:
            ConfigError: they are of other tokens or another rule.
        """
        theirs, own = self.run.config, experiment
        if _strategy(theirs) != _strategy(own.model_dump(mode="json")):
            raise ConfigError(
                f"checkpoint {self.checkpoint.key} is of {_describe(theirs)}, and study {own.name!r} of "
                f"{own.pool.strategy_name} on {', '.join(own.tokens)}: rule, tokens and their order must agree"
            )
        # Raw memories are counted in chunks. Where these agree, raw values are taken over bit for bit.
        same_chunk = theirs["update"]["chunk_minutes"] == own.update.chunk_minutes
        return own.initial_parameters(self.checkpoint.raw if same_chunk else self.checkpoint.human)

    def describe(self) -> str:
        """One line: which one, of which run, and why."""
        return f"{self.checkpoint.key} of run {self.run.name!r} ({self.run.driver}), {self.reason}"


def is_method(text: str) -> bool:
    """Whether ``--from`` names a selection method; a checkpoint's key has colons in it."""
    return ":" not in text


def default_method(experiment: Experiment) -> str:
    """How to pick where nothing is said: by validation where there is any."""
    return "best_train" if not experiment.periods.has_validation else "best_validation"


def find_starts(store: CheckpointStore, experiment: Experiment, texts: Iterable[str]) -> tuple[Start, ...]:
    """The stored parameter sets that ``--from`` names.

    A method picks by the experiment's objective among the runs of the same data, periods, pool, updates and fees; if there
    are none, among those of the same tokens and rule. Unfinished gradient runs of the very same experiment do not take
    part, so that the same command names the same start when it is given again to go on with one.

    Raises:
        CheckpointError: there is no such checkpoint.
        SelectionError: the method is unknown, or nothing is stored that it could pick.
    """
    starts: list[Start] = []
    for text in texts:
        if is_method(text):
            starts += _picked(store, experiment, text)
        else:
            checkpoint = store.resolve(text)
            starts.append(Start(checkpoint, store.run(checkpoint.run_id), "as asked for"))
    return tuple(starts)


def starts_of_study(store: CheckpointStore, experiment: Experiment, name: str, n: int) -> tuple[Start, ...]:
    """The ``n`` best distinct parameter sets that a search found, the best first; fewer if there are no more.

    The objective of ``experiment`` ranks them: on validation where the search has any, else on train; never on test.

    Args:
        store: where the search's checkpoints are.
        experiment: the sets are wanted for.
        name: of an Optuna study, or of the experiment that was searched. Of several searches of one experiment's name, those
            count that can be compared with the newest.
        n: at least 1.

    Raises:
        SelectionError: there is no such search, or nothing of it can be ranked.
    """
    searches = store.find_runs(driver="search")
    named = [run for run in searches if run.notes.get("study") == name] or [run for run in searches if run.name == name]
    if not named:
        known = {str(run.notes["study"]) for run in searches if "study" in run.notes} | {run.name for run in searches}
        raise SelectionError(
            f"{store.location} has no search of the name {name!r}, neither of an Optuna study nor of an experiment: "
            f"{nearest(name, known)}"
        )
    metric = experiment.objective.name
    comparable = _of_same_metrics(comparable_runs(named, dict(named[0].config)), experiment, [metric])
    by_id = {run.run_id: run for run in comparable}
    rows = [row for run_id in by_id for row in store.checkpoints(run_id=run_id, metrics=[metric, TIE_METRIC])]
    if rows and not _any_has(rows, [metric]):
        maximised = named[0].config["objective"]["metric"]
        raise SelectionError(
            f"the search {name!r} did not store {metric}, by which the objective of study {experiment.name!r} ranks: search "
            f"with it in objective.report, or fine-tune with objective.metric = {maximised!r}"
        )
    split = "validation" if any(row.value("validation", metric) is not None for row in rows) else "train"
    best = top(rows, n, split, metric)
    return tuple(
        Start(row, by_id[row.run_id], f"number {place} by {split} {metric}") for place, row in enumerate(best, start=1)
    )


def study_and_start(
    text: str, study: str | None, settings: Iterable[str] | None, store: str, *, default: str
) -> tuple[Experiment, Start]:
    """The one stored parameter set that ``text`` names, and the experiment that it is wanted for.

    Args:
        text: a checkpoint's key, or a selection method.
        study: of the user; without it a checkpoint's own, and ``default`` for a method.
        settings: changes to the study.
        store: where checkpoints are.
        default: name of a study.

    Raises:
        ConfigError: the method picks several.
        CheckpointError: as :func:`find_starts`.
        SelectionError: as :func:`find_starts`.
    """
    with open_existing_store(store) as results:
        if study is None and not is_method(text):
            run = results.run(results.resolve(text).run_id)
            experiment = Experiment.from_dict(run.config, f"the configuration of run {run.run_id}")
            experiment = experiment.override(settings) if settings else experiment
        else:
            experiment = load_study(study or default, settings)
        starts = find_starts(results, experiment, [text])
    if len(starts) != 1:
        keys = ", ".join(start.checkpoint.key for start in starts)
        raise ConfigError(f"{text} names {len(starts)} checkpoints, and one is wanted: give one of {keys}")
    return experiment, starts[0]


def comparable_runs(runs: Iterable[Run], config: dict[str, Any]) -> list[Run]:
    """The runs whose metrics can be compared with those of that configuration."""
    wanted = [config[table] for table in _DECIDES_METRICS]
    return [run for run in runs if [run.config.get(table) for table in _DECIDES_METRICS] == wanted]


def pick(
    store: CheckpointStore,
    experiment: Experiment,
    runs: Iterable[Run],
    method: str,
    metrics: Sequence[str] = (),
    minimum: float | None = None,
) -> Selection:
    """Picks from runs, reading the metrics that decide only.

    Args:
        store: where the runs are.
        experiment: says by what and under which constraints, where nothing is said.
        runs: whose checkpoints compare.
        method: one of ``SELECTION_METHODS`` or ``LOAD_METHODS``.
        metrics: that decide; unless given, the experiment's objective, for a front those of its search, and for a load method
            its own.
        minimum: as for :func:`~quantsim.checkpoints.select`.

    Raises:
        SelectionError: as there; or the objective decides, and is another in all runs.
    """
    several = method in FRONT_METHODS
    constraints = dict(experiment.objective.constraints) if several else {}
    theirs = () if metrics else default_metrics(method)
    metrics = tuple(metrics) or theirs or (experiment.search.objectives if several else (experiment.objective.name,))
    if not metrics:
        raise SelectionError(
            f"{method} weighs several metrics against each other, and study {experiment.name!r} has one objective: name two or "
            "more, each with --metric, or search with search.objectives"
        )
    names = [*(signed(name)[0] for name in metrics), *constraints]
    given = list(runs)
    runs = _of_same_metrics(given, experiment, names)
    rows = [row for run in runs for row in store.checkpoints(run_id=run.run_id, metrics=[*names, TIE_METRIC])]
    if rows and theirs != (OBJECTIVE,) and not _any_has(rows, names):
        rows = store.checkpoints(run_id=runs[0].run_id)  # so that the message can say what is stored
    selection = select(rows, method, None if theirs else metrics, minimum=minimum, constraints=constraints)
    if len(runs) == len(given):
        return selection
    others = f"{len(given) - len(runs)} of {len(given)} runs left out: of another [objective], so {', '.join(metrics)} is too"
    return replace(selection, notes=(others, *selection.notes))


def _any_has(rows: Iterable[Checkpoint], names: Iterable[str]) -> bool:
    """Whether one of these metrics is stored for any row, on any split."""
    return any(name in table for row in rows for table in row.metrics.values() for name in names)


def _of_same_metrics(runs: Sequence[Run], experiment: Experiment, names: Iterable[str]) -> list[Run]:
    """The runs in which the metrics mean what they do in the experiment: its objective, and those of periods, are its own.

    Raises:
        SelectionError: there are runs, and none of these.
    """
    keys = {key for name in names for key in _deciding_keys(name)}
    wanted = _objective_part(experiment.model_dump(mode="json"), keys)
    same = [run for run in runs if _objective_part(run.config, keys) == wanted]
    if runs and not same:
        raise SelectionError(
            f"no stored run has the [objective] of study {experiment.name!r}, and of others {', '.join(names)} is another "
            "number: run the study first, or name a checkpoint by its key or a metric of whole splits with --metric"
        )
    return same


def _deciding_keys(metric: str) -> tuple[str, ...]:
    if metric == OBJECTIVE:
        return _DECIDES_OBJECTIVE
    return _DECIDES_PERIODS if "." in metric else ()


def _objective_part(config: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """These keys of a configuration's objective, and the seed where it decides the periods."""
    table = {**Objective().model_dump(mode="json"), **config["objective"]}
    part = {key: table[key] for key in keys}
    return {**part, "seed": config["seed"]} if part.get("n_random_periods") else part


def _picked(store: CheckpointStore, experiment: Experiment, name: str) -> list[Start]:
    method = default_method(experiment) if name == BEST else name
    if method not in METHODS:
        remedy = nearest(name, (BEST, *METHODS))
        raise SelectionError(f"{name!r} is neither a checkpoint such as 3f9c01ab:120:0 nor a method; {remedy}")
    runs = _runs_to_pick_from(store, experiment)
    if needs_one_run(method):
        runs = runs[:1]
    by_id = {run.run_id: run for run in runs}
    selection = pick(store, experiment, runs, method)
    return [Start(row, by_id[row.run_id], _reason(selection, runs), selection) for row in selection.checkpoints]


def _runs_to_pick_from(store: CheckpointStore, experiment: Experiment) -> list[Run]:
    """The newest first."""
    settled = [
        run
        for run in store.find_runs()
        if run.driver != "sgd" or run.status == "finished" or run.experiment_id != experiment.identity
    ]
    config = experiment.model_dump(mode="json")
    found = comparable_runs(settled, config) or [run for run in settled if _strategy(run.config) == _strategy(config)]
    found = [run for run in found if (run.driver == IMPORTED) == (found[0].driver == IMPORTED)]
    if not found:
        raise SelectionError(
            f"{store.location} has no run of {experiment.pool.strategy_name} on {', '.join(experiment.tokens)} to start from: "
            "run `quantsim optuna` or `quantsim sgd` without --from first"
        )
    return found


def _strategy(config: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a configuration that decides what its parameters are."""
    pool = config["pool"]
    tokens = pool.get("tokens") or config["data"]["tokens"]
    parts = {name: (part["tokens"], part["rule"], part["ensemble"]) for name, part in config["subsidiaries"].items()}
    return {"tokens": tokens, "rule": pool["rule"], "ensemble": pool["ensemble"], "subsidiaries": parts}


def _describe(config: Mapping[str, Any]) -> str:
    strategy = _strategy(config)
    return f"{strategy['rule'] or strategy['ensemble']} on {', '.join(strategy['tokens'])}"


def _reason(selection: Selection, runs: Sequence[Run]) -> str:
    count = f"{len(runs)} runs" if len(runs) > 1 else "1 run"
    return f"{selection.describe()} of {count}"
