"""Trains on one window after another, tests on the data after each, and returns the out-of-sample result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, overload

from quantsim.api.cross_validation import CrossValidationResult
from quantsim.api.display import as_html
from quantsim.api.progress import Progress, showing
from quantsim.api.stores import StoreLike, opened
from quantsim.checkpoints import CheckpointStore
from quantsim.config import Experiment
from quantsim.errors import ConfigError
from quantsim.out_of_sample import (
    Comparison,
    FoldProgress,
    Grouping,
    Schedule,
    WalkForward,
    WalkForwardOutcome,
    compare_outcomes,
    paths_outcome,
    run_cross_validation,
    run_walk_forward,
    walk_forward_outcome,
)
from quantsim.out_of_sample.trainers import Trainer
from quantsim.prices import PriceData, Prices

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from quantsim.drivers.search.engines import Backend
    from quantsim.storages.location import Location

__all__ = ["CrossValidationResult", "WalkForwardResult", "walk_forward"]


@dataclass(frozen=True, eq=False, repr=False)
class WalkForwardResult:
    """The result of :func:`walk_forward`.

    Attributes:
        outcome: curves, folds, stability of parameters and judgement.
        walk: the selected set and the run of every fold.
        prices: the prices.
        store: the checkpoint store.
    """

    outcome: WalkForwardOutcome
    walk: WalkForward
    prices: Prices
    store: CheckpointStore

    @property
    def metrics(self) -> dict[str, float]:
        """Sharpe ratio and log growth per year, out of sample, and the information ratio against constant weights."""
        curve = self.outcome.out_of_sample
        return {
            "sharpe": curve.sharpe.point,
            "growth": curve.growth.point,
            "information_ratio": self.outcome.differences["constant_weights"].information_ratio.point,
        }

    @property
    def frame(self) -> pd.DataFrame:
        """A row per day out of sample, indexed by ``time`` (UTC): value of the pool and the baselines, 1 at the start."""
        import pandas as pd

        curves = {"value": self.outcome.out_of_sample, **self.outcome.baselines}
        times = pd.DatetimeIndex(self.outcome.out_of_sample.times, name="time").tz_localize("UTC")
        return pd.DataFrame({name: curve.values for name, curve in curves.items()}, index=times)

    def to_frame(self) -> pd.DataFrame:
        """Returns a row per fold: windows, key of the selected set, and annualised Sharpe ratios."""
        import pandas as pd

        rows = [
            {
                "train_start": fold.fold.train.start,
                "test_start": fold.fold.test.start,
                "test_end": fold.fold.test.end,
                "checkpoint": fold.checkpoint,
                "in_sample": fold.in_sample,
                "validation": fold.validation,
                "out_of_sample": fold.out_of_sample,
                "excess_out_of_sample": fold.excess_out_of_sample,
            }
            for fold in self.outcome.folds
        ]
        return pd.DataFrame(rows).rename_axis("fold")

    def plot(self) -> Figure:
        """Returns a figure of the out-of-sample curves, and of the parameters over the folds.

        Raises:
            ConfigError: matplotlib is not installed.
        """
        from quantsim.report.walk_forward_plot import walk_forward_figure

        return walk_forward_figure(self.outcome)

    def compare(self, other: WalkForwardResult) -> Comparison:
        """Compares two drivers on the same folds.

        Raises:
            ConfigError: the folds differ.
        """
        return compare_outcomes({one.outcome.trainer: one.outcome for one in (self, other)})

    def __repr__(self) -> str:
        outcome = self.outcome
        return (
            f"WalkForwardResult({outcome.study!r}, {outcome.trainer}, {len(outcome.folds)} folds: "
            f"Sharpe ratio {self.metrics['sharpe']:.2f} out of sample)"
        )

    def _repr_html_(self) -> str:
        shown = self.to_frame()
        for name in ("train_start", "test_start", "test_end"):
            shown[name] = shown[name].map(lambda time: f"{time:%Y-%m-%d %H:%M}".removesuffix(" 00:00"))
        return as_html(f"{self!r}. {self.outcome.judgement}", shown)


@overload
def walk_forward(
    experiment: Experiment,
    prices: PriceData | None = None,
    *,
    store: StoreLike | None = None,
    driver: Trainer = "search",
    scheme: Literal["rolling", "anchored"] = "rolling",
    folds: int | None = None,
    train_days: float | None = None,
    test_days: float | None = None,
    step_days: float | None = None,
    validation_days: float | None = None,
    evaluations: int | None = None,
    method: str | None = None,
    jobs: int = 1,
    backend: Backend = "threads",
    address: str | None = None,
    storage: Location | None = None,
    series: Mapping[str, Any] | None = None,
    progress: Progress[FoldProgress] = True,
) -> WalkForwardResult: ...


@overload
def walk_forward(
    experiment: Experiment,
    prices: PriceData | None = None,
    *,
    store: StoreLike | None = None,
    driver: Trainer = "search",
    scheme: Literal["cpcv"],
    groups: int | None = None,
    test_groups: int | None = None,
    purge_days: float | None = None,
    embargo_days: float | None = None,
    evaluations: int | None = None,
    method: str | None = None,
    jobs: int = 1,
    backend: Backend = "threads",
    address: str | None = None,
    storage: Location | None = None,
    progress: Progress[FoldProgress] = True,
) -> CrossValidationResult: ...


def walk_forward(
    experiment: Experiment,
    prices: PriceData | None = None,
    *,
    store: StoreLike | None = None,
    driver: Trainer = "search",
    scheme: Literal["rolling", "anchored", "cpcv"] = "rolling",
    folds: int | None = None,
    groups: int | None = None,
    test_groups: int | None = None,
    purge_days: float | None = None,
    embargo_days: float | None = None,
    train_days: float | None = None,
    test_days: float | None = None,
    step_days: float | None = None,
    validation_days: float | None = None,
    evaluations: int | None = None,
    method: str | None = None,
    jobs: int = 1,
    backend: Backend = "threads",
    address: str | None = None,
    storage: Location | None = None,
    series: Mapping[str, Any] | None = None,
    progress: Progress[FoldProgress] = True,
) -> WalkForwardResult | CrossValidationResult:
    """Trains on one window after another, and tests on the data after each, as ``quantsim walk-forward`` does.

    The same call resumes an interrupted walk-forward.

    Args:
        experiment: the study. Folds cover its periods, from the start of training to the end of the last one.
        prices: as in :func:`quantsim.search`.
        store: as in :func:`quantsim.search`.
        driver: what trains; "random" is a search with the random sampler, "fixed" the study's own parameters.
        scheme: whether the training window moves ("rolling") or grows ("anchored"); or "cpcv" for combinatorial purged
            cross-validation, whose result is a :class:`~quantsim.api.cross_validation.CrossValidationResult`.
        folds: number of folds; default: 4.
        groups: "cpcv": number of groups; default: 6.
        test_groups: "cpcv": number of test groups in each split; default: 2.
        purge_days: "cpcv": days of training data next to a test group that are left out; default: 0.
        embargo_days: "cpcv": days after a test group that are left out; default: the longest memory that is tried.
        train_days: length of a training window, in days.
        test_days: length of a test window, in days.
        step_days: distance between successive folds, in days; default: ``test_days``.
        validation_days: length of a validation window, in days; 0 for none.
        evaluations: evaluations of the objective in each fold; default: those of the study.
        method: selection method; default: ``best_validation``, or ``best_train`` without validation data.
        jobs: number of folds that are trained at the same time; it does not affect results.
        backend: as in :func:`quantsim.search`.
        address: as in :func:`quantsim.search`.
        storage: storage of the Optuna studies.
        series: series in memory; see :class:`~quantsim.Evaluator`.
        progress: whether to show a bar, or a function that is called after every step of any fold.

    Raises:
        ConfigError: an argument is not for the scheme.
        QuantsimError: as in :func:`quantsim.out_of_sample.run_walk_forward` and ``run_cross_validation``.

    Example:
        >>> import quantsim
        >>> study = quantsim.Experiment.load("momentum_fees")
        >>> walked = quantsim.walk_forward(study, folds=3, evaluations=50, store="results.db")  # doctest: +SKIP
        >>> print(walked.outcome.judgement)  # doctest: +SKIP
    """
    table, place = experiment.prices(prices, given_series=series or ()), opened(store)
    of_folds = {
        "folds": folds, "train_days": train_days, "test_days": test_days, "step_days": step_days,
        "validation_days": validation_days, "series": series,
    }  # fmt: skip
    of_groups = {
        "n_groups": groups, "n_test_groups": test_groups, "purge_days": purge_days, "embargo_days": embargo_days
    }  # fmt: skip
    _refuse(scheme, of_folds if scheme == "cpcv" else of_groups)
    shared: dict[str, Any] = {
        "trainer": driver, "evaluations": evaluations, "method": method, "storage": storage, "jobs": jobs,
        "backend": backend, "address": address,
    }  # fmt: skip
    if scheme == "cpcv":
        grouping = Grouping(**{name: value for name, value in of_groups.items() if value is not None})  # type: ignore[arg-type]
        with showing(progress, "fold", _of_folds) as report:
            validation = run_cross_validation(experiment, table, place, grouping, progress=report, **shared)
        return CrossValidationResult(paths_outcome(validation, table), validation, table, place)
    schedule = Schedule(scheme, folds, train_days, test_days, step_days, validation_days)
    with showing(progress, "fold", _of_folds) as report:
        walk = run_walk_forward(experiment, table, place, schedule, series=series, progress=report, **shared)
    return WalkForwardResult(walk_forward_outcome(walk, table, place, series=series), walk, table, place)


def _refuse(scheme: str, others: Mapping[str, Any]) -> None:
    for name, value in others.items():
        if value is not None:
            shown = {"n_groups": "groups", "n_test_groups": "test_groups"}.get(name, name)
            raise ConfigError(f"{shown} = {value!r} is not for scheme = {scheme!r}: remove it")


def _of_folds(progress: FoldProgress) -> tuple[int, int, str]:
    return progress.finished, progress.n_folds, f"fold {progress.position}: {progress.done} of {progress.total}"
