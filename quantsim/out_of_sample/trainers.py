"""Trainers of folds: the drivers, a random search, and the study's own parameters, with a budget of evaluations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from quantsim.checkpoints import CheckpointStore
from quantsim.checkpoints.methods import METHODS, Score
from quantsim.checkpoints.picking import check_method, method_named
from quantsim.config import Experiment
from quantsim.config.identity import GRADIENTS, HYBRID, SEARCH
from quantsim.drivers.search.engines import Backend, check_backend
from quantsim.errors import ConfigError, DriverError
from quantsim.prices import Prices
from quantsim.search_space import load_search_space
from quantsim.statistics import LEAST_DAYS
from quantsim.storages.location import Location, fold_storage

__all__ = [
    "TRAINERS",
    "Progressed",
    "Resources",
    "Trainer",
    "budgeted",
    "check_selection",
    "check_trainer",
    "content_of_task",
    "train",
]

Trainer = Literal["search", "sgd", "hybrid", "random", "fixed"]
"""The drivers; ``random`` is the search with the random sampler, ``fixed`` keeps the study's own parameters."""

TRAINERS: tuple[str, ...] = get_args(Trainer)
"""The names of the trainers of a walk-forward."""

Progressed = Callable[[int, int, float | None, bool], None]
"""Called with the evaluations done, those in all, the best value so far, and whether all programs are compiled."""

_PURPOSES = {"search": SEARCH, "random": SEARCH, "sgd": GRADIENTS, "hybrid": HYBRID, "fixed": GRADIENTS}


@dataclass(frozen=True)
class Resources:
    """The resources for training. Results do not depend on them.

    Attributes:
        jobs: number of evaluations at the same time.
        backend: where trials of a search are evaluated; see :func:`~quantsim.drivers.search.run_search`.
        address: address of the cluster.
        storage: storage of the studies of all searches; by default, each fold of a store in a file has a journal of its own, in
            a folder beside the store, because a journal is read as a whole when it is opened.
        series: series in memory.
    """

    jobs: int = 1
    backend: Backend = "threads"
    address: str | None = None
    storage: Location | None = None
    series: Mapping[str, Any] = field(default_factory=dict)


def check_trainer(trainer: str, resources: Resources) -> None:
    """Checks a trainer and its resources.

    Raises:
        ConfigError: there is no such trainer.
        DriverError: there is no such backend, or the trainer cannot use it.
    """
    if trainer not in TRAINERS:
        raise ConfigError(f"driver = {trainer!r} must be one of {', '.join(TRAINERS)}")
    check_backend(resources.backend, resources.address)
    if resources.backend != "threads" and trainer not in ("search", "random"):
        raise DriverError(
            f"backend = {resources.backend!r} evaluates trials of a search, and {trainer!r} has none there: use 'threads'"
        )


def check_selection(experiment: Experiment, method: str | None) -> None:
    """Checks that a selection method selects one set, without test data.

    Raises:
        ConfigError: the method uses test data, validation data that the folds do not have or too few days of it, or selects
            several sets.
        SelectionError: there is no such method.
    """
    name = method_named(method, experiment)
    check_method(name)
    rule = METHODS[name]
    if rule.uses_test:
        raise ConfigError(f"method = {name!r} uses test data, which must stay out of sample: use another")
    if not experiment.periods.has_validation and "validation" in rule.splits:
        raise ConfigError(f"method = {name!r} needs validation data, which the folds do not have: use another")
    start, end = experiment.periods.splits().get(rule.split, (None, None))
    if rule.score is Score.LOWER and start is not None and end is not None and (end - start).days <= LEAST_DAYS:
        raise ConfigError(
            f"method = {name!r} needs more than {LEAST_DAYS} days of {rule.split} data, and the folds have "
            f"{(end - start).days}: take a longer period, or use another"
        )
    if rule.per_set or name == "pareto_front":
        raise ConfigError(f"method = {name!r} selects several sets, and a fold needs one: use another")


def content_of_task(experiment: Experiment, trainer: str) -> dict[str, Any]:
    """Returns everything that the result of a trainer on given folds and data depends on, as JSON values.

    Unlike in the identity of a single run, budgets count, because a search with more trials has another result.
    """
    found: dict[str, Any] = {"trainer": trainer, "study": experiment.identity_for(_PURPOSES[trainer])}
    search, hybrid = experiment.search, experiment.hybrid
    if trainer in ("search", "random", "hybrid"):
        found["space"] = load_search_space(experiment).describe()
    if trainer in ("search", "random"):
        found["budget"] = [search.trials, search.patience, search.min_gain]
    if trainer == "hybrid":
        found["budget"] = [hybrid.rounds, hybrid.min_gain, hybrid.max_evaluations]
    return found


def budgeted(experiment: Experiment, trainer: str, evaluations: int | None) -> Experiment:
    """Returns the study with the settings of a trainer, and a budget of evaluations of the objective.

    A trial is one evaluation, a gradient step one for each parameter set, as in hybrid runs. With a budget, nothing ends a run
    early, and a hybrid run takes fewer steps per round if a round would not fit.

    Args:
        experiment: the study.
        trainer: one of :data:`TRAINERS`.
        evaluations: the budget; None for that of the study.

    Raises:
        ConfigError: the budget is too small for the trainer.
    """
    values = experiment.model_dump(mode="json")
    if trainer == "random":
        values["search"]["sampler"] = "random"
    if evaluations is not None:
        if evaluations < 1:
            raise ConfigError(f"evaluations = {evaluations} must be at least 1")
        if trainer in ("search", "random"):
            values["search"] |= {"trials": evaluations, "patience": None, "max_minutes": None}
        elif trainer == "sgd":
            values["sgd"] |= _steps_within(experiment, evaluations)
        elif trainer == "hybrid":
            values["hybrid"] |= _rounds_within(experiment, evaluations)
    return Experiment.from_dict(values, f"study {experiment.name!r} for {trainer}", own_rules=experiment.own_rules)


def _steps_within(experiment: Experiment, evaluations: int) -> dict[str, Any]:
    n_sets = len(experiment.sgd.starts) or experiment.sgd.n_parameter_sets
    if evaluations < n_sets:
        raise ConfigError(
            f"evaluations = {evaluations} are less than one step of sgd.n_parameter_sets = {n_sets}: raise the budget, or "
            "lower sgd.n_parameter_sets"
        )
    return {"steps": evaluations // n_sets, "early_stopping_reports": None}


def _rounds_within(experiment: Experiment, evaluations: int) -> dict[str, Any]:
    hybrid = experiment.hybrid
    trials = min(hybrid.trials, max(evaluations // 2, 1))
    steps = min(hybrid.steps, (evaluations - trials) // hybrid.top - 1)
    if steps < 1:
        raise ConfigError(
            f"evaluations = {evaluations} are less than a round of {trials} trials and one step for each of hybrid.top = "
            f"{hybrid.top} sets: raise the budget, or lower hybrid.top"
        )
    rounds = evaluations // (trials + hybrid.top * (steps + 1)) + 1  # the budget ends the last one
    return {
        "trials": trials,
        "steps": steps,
        "rounds": rounds,
        "max_evaluations": evaluations,
        "max_minutes": None,
        "min_gain": 0.0,
    }


def train(
    trainer: str,
    experiment: Experiment,
    prices: Prices,
    store: CheckpointStore,
    resources: Resources,
    *,
    group: tuple[str, int],
    progress: Progressed,
) -> str:
    """Trains on one experiment, or resumes its unfinished run, and returns the id of the run.

    Args:
        trainer: one of :data:`TRAINERS`.
        experiment: experiment of the fold, as :func:`budgeted` returns it.
        prices: prices that cover its periods.
        store: store of the run.
        resources: resources for training.
        group: id of the group of runs, and position in it.
        progress: called after every step.
    """
    series, storage = resources.series or None, resources.storage or fold_storage(store.url, group)
    if trainer in ("search", "random"):
        from quantsim.drivers.search import run_search

        return run_search(
            experiment,
            prices,
            store,
            series=series,
            storage=storage,
            study_name=f"{experiment.name}-{trainer}-{group[0][:8]}",
            jobs=resources.jobs,
            backend=resources.backend,
            address=resources.address,
            group=group,
            progress=lambda seen: progress(seen.finished, seen.total, seen.best_value, True),
        ).run_id
    if trainer == "sgd":
        from quantsim.drivers.sgd import run_sgd

        return run_sgd(
            experiment,
            prices,
            store,
            series=series,
            group=group,
            progress=lambda seen: progress(seen.step, seen.steps, seen.best, seen.step > 0),
        ).run_id
    if trainer == "hybrid":
        from quantsim.drivers.hybrid import run_hybrid

        name = f"{experiment.name}-{group[0][:8]}"  # of its study, too, which another budget must not share
        return run_hybrid(
            experiment.model_copy(update={"name": name}),
            prices,
            store,
            series=series,
            storage=storage,
            jobs=resources.jobs,
            group=group,
            progress=lambda seen: progress(
                seen.done, seen.total, seen.best, seen.kind == "gradients" and seen.done > 0
            ),
        ).run_id
    from quantsim.drivers.fixed import run_fixed

    return run_fixed(
        experiment, prices, store, series=series, group=group, progress=lambda value: progress(1, 1, value, True)
    )
