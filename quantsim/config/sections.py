"""The tables of a study file that say what is simulated, each with its units and bounds; for pools see ``pool_tables.py``."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from quantsim.config.identity import Decides
from quantsim.settings.base import Section
from quantsim.settings.kinds import (
    Natural,
    UtcTime,
    distinct,
)

__all__ = ["Data", "Periods", "Series"]


class Data(Section, decides=Decides.VALUE):
    """Which prices: ``source`` is ``"bundled"``, a folder with one file per token, or one file.

    ``stamps`` says what the stamps of all files mark, those of ``series`` too: the end of a bar, when its close is known, or
    its start.
    """

    source: Annotated[str, Field(min_length=1), Decides.NOTHING] = "bundled"
    tokens: Annotated[tuple[str, ...], Field(min_length=2), AfterValidator(distinct)]
    bar_minutes: Annotated[int, Field(ge=1, le=1440)] | None = None
    forward_fill_bars: Natural | None = None
    stamps: Literal["end", "start"] = "end"

    @model_validator(mode="after")
    def _stamps_fit(self) -> Self:
        if self.source == "bundled" and self.stamps == "start":
            raise ValueError(
                "stamps = 'start' is for files of your own: the bundled prices are stamped at the end of their bars; leave it "
                "out, or set source"
            )
        return self


class Periods(Section, decides=Decides.VALUE):
    """Where training, validation and test begin and end; each is half open, and the next one begins where it ends.

    ``holdout_fraction`` takes validation data from the end of the training period instead, in whole days.
    """

    train_start: UtcTime
    train_end: UtcTime
    validation_end: UtcTime | None = None
    test_end: UtcTime | None = None
    holdout_fraction: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        names = ("train_start", "train_end", "validation_end", "test_end")
        ends = {name: end for name in names if (end := getattr(self, name)) is not None}
        for earlier, later in itertools.pairwise(ends):
            if not ends[earlier] < ends[later]:
                raise ValueError(
                    f"{later} = {ends[later]:%Y-%m-%d %H:%M} must come after {earlier} = {ends[earlier]:%Y-%m-%d %H:%M}"
                )
        if self.holdout_fraction is not None:
            if self.validation_end is not None:
                raise ValueError(
                    f"holdout_fraction = {self.holdout_fraction:g} and validation_end both say what validation data is: "
                    "give one of them"
                )
            if not self.train_start + timedelta(days=1) <= self._training_end < self.train_end:
                raise ValueError(
                    f"holdout_fraction = {self.holdout_fraction:g} of {self.train_end - self.train_start} must leave at "
                    "least a day to training, and take at least one"
                )
        return self

    @property
    def has_validation(self) -> bool:
        """Whether there is validation data."""
        return self.validation_end is not None or self.holdout_fraction is not None

    @property
    def _training_end(self) -> datetime:
        """Where training stops, less what is held out."""
        days = (self.train_end - self.train_start) / timedelta(days=1)
        return self.train_end - timedelta(days=round((self.holdout_fraction or 0.0) * days))

    def splits(self) -> dict[str, tuple[datetime, datetime]]:
        """Split name → (first moment, end), for the splits there are, in time order."""
        found = {"train": (self.train_start, self._training_end)}
        end = self.train_end
        if self.holdout_fraction is not None:
            found["validation"] = (self._training_end, end)
        if self.validation_end is not None:
            found["validation"] = (end, self.validation_end)
            end = self.validation_end
        if self.test_end is not None:
            found["test"] = (end, self.test_end)
        return found


class Series(Section, decides=Decides.VALUE):
    """Files (CSV or Parquet) with a series in time each: a column of times, and one of values, held until the next.

    ``oracle`` has a column per token of the pool. ``trades`` lists swaps: when, what comes in, what goes out, and one amount.
    A fee setting that is a series is no number at the same time; zero, the default, counts as none.
    """

    swap_fee: str | None = None
    arb_fee: str | None = None
    gas_cost_usd: str | None = None
    oracle: str | None = None
    trades: str | None = None

    @property
    def costs(self) -> tuple[str, ...]:
        """The fee settings that vary in time."""
        return tuple(name for name in ("swap_fee", "arb_fee", "gas_cost_usd") if getattr(self, name) is not None)
