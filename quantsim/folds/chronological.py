"""Walk-forward folds: train on a window, test on the next one, move on (Pardo 2008, ch. 11)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, NamedTuple, get_args

from quantsim.errors import ConfigError
from quantsim.limits import LONGEST_DAYS, MOST_FOLDS

__all__ = ["SCHEMES", "Fold", "Scheme", "Span", "walk_forward"]

Scheme = Literal["rolling", "anchored"]
"""Whether training windows have a fixed length, or all start at the beginning."""

SCHEMES: tuple[str, ...] = get_args(Scheme)
"""The names of the schemes of folds."""

_DAY = timedelta(days=1)


class Span(NamedTuple):
    """A half-open range of time."""

    start: datetime
    end: datetime

    @property
    def days(self) -> float:
        """Length in days."""
        return (self.end - self.start) / _DAY


@dataclass(frozen=True)
class Fold:
    """One fold. Each span starts at the end of the one before.

    Attributes:
        position: index of the fold, from 0.
        train: training data.
        test: test data.
        validation: validation data; None for none.
    """

    position: int
    train: Span
    test: Span
    validation: Span | None = None


def walk_forward(
    start: datetime,
    end: datetime,
    *,
    scheme: str = "rolling",
    n_folds: int | None = None,
    train_days: float | None = None,
    test_days: float | None = None,
    step_days: float | None = None,
    validation_days: float = 0.0,
    chunk_minutes: int = 1440,
) -> tuple[Fold, ...]:
    """Returns the walk-forward folds of a time range, in chronological order.

    There are three ways to give their lengths:

    * ``n_folds``: the range is cut into ``n_folds + 1`` equal segments of whole days. Fold ``i`` is trained on segment ``i``
      and tested on segment ``i + 1``.
    * ``n_folds`` and ``train_days``: what follows the first training window is cut into ``n_folds`` equal test windows.
    * ``train_days`` and ``test_days``: as many folds as fit, each ``step_days`` later than the one before.

    Validation data are the last days before the test data. They are taken from the segment that trains if ``n_folds`` is given
    alone, else they follow the training window. What does not fill a window is left out at the end of the range. All windows
    are whole chunks, so that the chunks of all folds have the same boundaries.

    Args:
        start: start of the first training window.
        end: latest end of the last test window.
        scheme: ``"rolling"``: training windows of equal length; ``"anchored"``: training windows that all start at ``start``,
            where ``train_days`` is the length of the first one.
        n_folds: number of folds.
        train_days: length of a training window.
        test_days: length of a test window.
        step_days: distance of successive folds, in whole days, as daily returns of all folds are compared with those of other
            pools; default: ``test_days``, so that the test windows form one curve.
        validation_days: length of a validation window; 0 for none.
        chunk_minutes: length of a chunk.

    Raises:
        ConfigError: the lengths contradict each other, are not whole chunks, or do not fit into the range, or folds are not
            whole days apart.

    Example:
        >>> folds = walk_forward(datetime(2024, 1, 1), datetime(2024, 2, 1), n_folds=2)
        >>> [(fold.train.start.day, fold.test.start.day, fold.test.end.day) for fold in folds]
        [(1, 11, 21), (11, 21, 31)]
    """
    if scheme not in SCHEMES:
        raise ConfigError(f"scheme = {scheme!r} must be one of {', '.join(SCHEMES)}")
    chunk = timedelta(minutes=chunk_minutes)
    validation = _length("validation_days", validation_days, chunk) if validation_days else timedelta(0)
    if n_folds is None:
        train, test, step = _of_days(train_days, test_days, step_days, chunk)
    else:
        train, test = _of_number(end - start, n_folds, train_days, test_days, step_days, validation, chunk)
        step = test
    room = end - start - train - validation - test
    if room < timedelta(0):
        raise ConfigError(
            f"train_days = {train / _DAY:g}, validation_days = {validation / _DAY:g} and test_days = {test / _DAY:g} are "
            f"{(train + validation + test) / _DAY:g} days, more than the {(end - start) / _DAY:g} days from {start:%Y-%m-%d} "
            f"to {end:%Y-%m-%d}: shorten them, or extend the periods of the study"
        )
    count = room // step + 1 if n_folds is None else n_folds
    if count > MOST_FOLDS:
        raise ConfigError(
            f"step_days = {step / _DAY:g} makes {count:,} folds, the limit is {MOST_FOLDS:,}: lengthen it"
        )
    return tuple(_fold(start, index, scheme, train, validation, test, step) for index in range(count))


def _fold(
    start: datetime,
    index: int,
    scheme: str,
    train: timedelta,
    validation: timedelta,
    test: timedelta,
    step: timedelta,
) -> Fold:
    begin = start + index * step
    trained, validated = begin + train, begin + train + validation
    return Fold(
        position=index,
        train=Span(start if scheme == "anchored" else begin, trained),
        test=Span(validated, validated + test),
        validation=Span(trained, validated) if validation else None,
    )


def _of_days(
    train_days: float | None, test_days: float | None, step_days: float | None, chunk: timedelta
) -> tuple[timedelta, timedelta, timedelta]:
    if train_days is None or test_days is None:
        raise ConfigError(
            f"train_days = {train_days} and test_days = {test_days}: give both, or a number of folds (n_folds) instead"
        )
    train, test = _length("train_days", train_days, chunk), _length("test_days", test_days, chunk)
    step = test if step_days is None else _length("step_days", step_days, chunk)
    if step < test:
        raise ConfigError(
            f"step_days = {step_days:g} is less than test_days = {test_days:g}, so test windows would overlap: raise it"
        )
    if step % _DAY:
        raise ConfigError(
            f"step_days = {step / _DAY:g} must be whole days, on which the daily returns of folds and baselines are compared: "
            "round it" + ("" if step_days is not None else ", or test_days, which it is by default")
        )
    return train, test, step


def _of_number(
    whole: timedelta,
    n_folds: int,
    train_days: float | None,
    test_days: float | None,
    step_days: float | None,
    validation: timedelta,
    chunk: timedelta,
) -> tuple[timedelta, timedelta]:
    """Returns the lengths of training and test windows; the step is that of a test window."""
    if not 1 <= n_folds <= MOST_FOLDS:
        raise ConfigError(f"n_folds = {n_folds} must be 1 to {MOST_FOLDS:,}")
    for name, given in (("test_days", test_days), ("step_days", step_days)):
        if given is not None:
            raise ConfigError(f"{name} = {given:g} follows from n_folds = {n_folds}: give one of them")
    unit = timedelta(minutes=math.lcm(1440, round(chunk / timedelta(minutes=1))))
    if train_days is None:
        test = whole // (n_folds + 1) // unit * unit
        train = test - validation
    else:
        train = _length("train_days", train_days, chunk)
        test = max(whole - train - validation, timedelta(0)) // n_folds // unit * unit
    if not test or train <= timedelta(0):
        raise ConfigError(
            f"n_folds = {n_folds} leaves {max(train, timedelta(0)) / _DAY:g} days of training and {test / _DAY:g} days of test "
            f"to each fold, of {whole / _DAY:g} days in whole chunks and days: take fewer folds, or shorter windows"
        )
    return train, test


def _length(name: str, days: float, chunk: timedelta) -> timedelta:
    length = timedelta(days=days if 0.0 < days <= LONGEST_DAYS else 0.0)  # nan, too
    if length <= timedelta(0) or length % chunk:
        raise ConfigError(
            f"{name} = {days:g} must be a positive number of days in whole chunks of {chunk / timedelta(minutes=1):g} minutes "
            "(update.chunk_minutes)"
        )
    return length
