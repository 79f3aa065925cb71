"""The tables of a study file that say what is simulated, each with its units and bounds; for pools see ``pool_tables.py``."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from quantsim.config.identity import Decides
from quantsim.config.synthetic import place_of, with_synthetic_table
from quantsim.settings.base import Section, no_truth
from quantsim.settings.kinds import Natural, Table, UtcTime, distinct, flat_table

__all__ = ["Data", "Periods", "Series"]

SyntheticValue = Annotated[int | float | str, BeforeValidator(no_truth)]


class Data(Section, decides=Decides.VALUE):
    """The prices. ``source`` is ``"bundled"``, a folder with one file per token, one file, or synthetic prices.

    ``synthetic`` holds the parameters of synthetic prices (:mod:`quantsim.prices.synthetic`), and ``kind``, which ``source``
    names. They may also be written in the source, ``"synthetic:gbm?seed=1"``.

    ``stamps`` is the stamp convention of all files, including those of ``series``: stamps mark the end of a bar, when its close
    is known, or its start.

    ``sha256`` pins the prices: it is their :attr:`~quantsim.prices.Prices.identity`, and other prices are an error.
    """

    source: Annotated[str, Field(min_length=1), Decides.NOTHING] = "bundled"
    """A folder with one file per token, one file, ``synthetic:`` and a kind, or the bundled prices."""
    tokens: Annotated[tuple[str, ...], Field(min_length=2), AfterValidator(distinct)]
    """The tokens; lists of values per token follow their order."""
    bar_minutes: Annotated[int, Field(ge=1, le=1440)] | None = None
    """Length of a bar, in minutes: prices are resampled to it; by default as in the files."""
    forward_fill_bars: Natural | None = None
    """Longest gap, in bars, that is filled with the last price; longer ones are errors."""
    stamps: Literal["end", "start"] = "end"
    """What the stamps of files mark: the end or the start of a bar."""
    sha256: Annotated[Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None, Decides.NOTHING] = None
    """Identity of the prices; other prices are an error. ``quantsim prices import`` prints it."""
    synthetic: Annotated[tuple[tuple[str, SyntheticValue], ...], Table(flat_table)] = ()
    """Parameters of synthetic prices."""

    @model_validator(mode="before")
    @classmethod
    def _synthetic_table(cls, values: Any) -> Any:
        return with_synthetic_table(values) if isinstance(values, Mapping) else values

    @property
    def place(self) -> str:
        """The source with the parameters of synthetic prices, as :func:`quantsim.prices.load_prices` takes it."""
        return place_of(self.source, dict(self.synthetic))

    @model_validator(mode="after")
    def _stamps_fit(self) -> Self:
        if self.source == "bundled" and self.stamps == "start":
            raise ValueError(
                "stamps = 'start' is for your own files: the bundled prices are stamped at the end of their bars; remove it, "
                "or set source"
            )
        return self


class Periods(Section, decides=Decides.VALUE):
    """Training, validation and test periods. Each is half open, and starts at the end of the one before.

    With ``holdout_fraction``, validation is the end of the training period instead, in whole days.
    """

    train_start: UtcTime
    """First moment of training, in UTC."""
    train_end: UtcTime
    """End of training, and start of what follows."""
    validation_end: UtcTime | None = None
    """End of validation; without it there is no validation period."""
    test_end: UtcTime | None = None
    """End of test; without it there is no test period."""
    holdout_fraction: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None
    """Share of the training period that is validation, at its end; instead of ``validation_end``."""

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
                    f"holdout_fraction = {self.holdout_fraction:g} and validation_end both set the validation period: "
                    "give one of them"
                )
            if not self.train_start + timedelta(days=1) <= self._training_end < self.train_end:
                raise ValueError(
                    f"holdout_fraction = {self.holdout_fraction:g} of {self.train_end - self.train_start}: training and "
                    "validation need at least one day each"
                )
        return self

    @property
    def has_validation(self) -> bool:
        """Whether there is validation data."""
        return self.validation_end is not None or self.holdout_fraction is not None

    @property
    def _training_end(self) -> datetime:
        """End of training, without the held-out days."""
        days = (self.train_end - self.train_start) / timedelta(days=1)
        return self.train_end - timedelta(days=round((self.holdout_fraction or 0.0) * days))

    def splits(self) -> dict[str, tuple[datetime, datetime]]:
        """Returns split name → (start, end), for all splits of the study, in chronological order."""
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
    """Files of series that vary over time: a column of times and one of values, each of which holds until the next time.

    ``oracle`` has a column per token of the pool. ``trades`` lists exogenous swaps: time, token in, token out, and one amount.
    ``weights`` lists a pool's updates: time and a weight per token, and its multipliers if they are known.
    ``supply`` lists joins and exits: time, and the shares issued or the amount in USD.
    A fee setting cannot be both a series and a number other than zero.
    """

    swap_fee: str | None = None
    """File of the swap fee over time, instead of ``fees.swap_fee``."""
    arb_fee: str | None = None
    """File of the arbitrageur's own cost over time, instead of ``fees.arb_fee``."""
    gas_cost_usd: str | None = None
    """File of the gas cost over time, in USD per trade, instead of ``fees.gas_cost_usd``."""
    oracle: str | None = None
    """File of a further input of rules, such as market capitalisations: a column per token."""
    trades: str | None = None
    """File of exogenous swaps."""
    weights: str | None = None
    """File of weights that a pool really had, for ``rule = "given_weights"``: a column per token."""
    supply: str | None = None
    """File of joins and exits of liquidity providers: shares, or amounts in USD."""

    @property
    def costs(self) -> tuple[str, ...]:
        """The fee settings that vary over time."""
        return tuple(name for name in ("swap_fee", "arb_fee", "gas_cost_usd") if getattr(self, name) is not None)
