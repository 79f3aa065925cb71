"""Checks across the tables of a study."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quantsim.config.pools import check_groups, check_pool
from quantsim.errors import ParameterError, nearest
from quantsim.parameters import scoped, to_human

if TYPE_CHECKING:
    from quantsim.config.experiment import Experiment

__all__ = ["check_consistent"]


def check_consistent(experiment: Experiment) -> None:
    """Raises ValueError if tables contradict each other; the message names the keys.

    For a stored study that is only read, checks that need rules are skipped.
    """
    _check_periods(experiment)
    if experiment.is_only_read:
        return
    check_groups(experiment.pools)
    human = to_human(experiment.layout, experiment.initial_parameters())
    for pool in experiment.pools:
        check_pool(pool, scoped(human, pool.group), experiment.series)
    _check_sgd(experiment)
    _check_search(experiment)
    if experiment.fees.swap_fee and experiment.pools[-1].tunes_fee:
        raise ValueError(
            f"fees.swap_fee = {experiment.fees.swap_fee} and parameters.swap_fee both set the fee: give parameters.swap_fee "
            "for a fee that training and search may change, else fees.swap_fee"
        )


def _check_periods(experiment: Experiment) -> None:
    sgd, periods = experiment.sgd, experiment.periods
    if sgd.early_stopping_reports is not None and not periods.has_validation:
        raise ValueError(
            f"sgd.early_stopping_reports = {sgd.early_stopping_reports} needs validation data: "
            "set periods.validation_end or periods.holdout_fraction"
        )
    first, last = periods.splits()["train"]
    for begin, end in experiment.objective.periods:
        if begin < first or end > last:
            raise ValueError(
                f"objective.periods: {begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} must lie within the training period, "
                f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}"
            )


def _check_search(experiment: Experiment) -> None:
    penalty = experiment.search.overfitting_penalty
    if penalty and not experiment.periods.has_validation:
        raise ValueError(
            f"search.overfitting_penalty = {penalty} needs validation data: set periods.validation_end or "
            "periods.holdout_fraction"
        )


def _check_sgd(experiment: Experiment) -> None:
    sgd = experiment.sgd
    for number, start in enumerate(sgd.starts):
        try:
            experiment.initial_parameters(dict(start))
        except ParameterError as error:
            raise ValueError(f"sgd.starts[{number}]: {error}") from error
    movable = [parameter for parameter in experiment.layout if parameter.trainable]
    known = [parameter.human_name for parameter in movable]
    for name in sgd.train or ():
        if name not in known and name not in [parameter.raw_name for parameter in movable]:
            raise ValueError(f"sgd.train: {name!r} is not a trainable parameter of this study: {nearest(name, known)}")
    if sgd.time_reversed and experiment.fees.volume == "elastic":
        raise ValueError("sgd.time_reversed does not support fees.volume = 'elastic', whose hours cannot be reversed")
    named = [name for name, value in experiment.series if value is not None]
    if sgd.time_reversed and named:
        raise ValueError(
            f"sgd.time_reversed does not support series.{named[0]}, which cannot be reversed: remove one of them"
        )
