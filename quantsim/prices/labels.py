"""The tokens that a price file itself names, in its cells, header or archive, and checks that they are those asked for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from quantsim.errors import PriceError
from quantsim.prices.cells import texts_of
from quantsim.prices.files import member_of
from quantsim.prices.instants import row_text
from quantsim.prices.layout import Layout
from quantsim.prices.names import is_dollar, refusal, stands_for

__all__ = ["check_labels", "check_member", "symbols_of"]

_TICKER = re.compile(r"[A-Z0-9]*[A-Z][A-Z0-9]*([_\-/.: ][A-Z0-9]+)*")
_REMEDY = "correct the file's name or the cell, or rename the column if it means something else"


def symbols_of(layout: Layout) -> Any:
    """Returns the symbol of each row of a long file, such as ``BTC`` or ``BTC/USDT``, as a pyarrow array."""
    import pyarrow.compute as pc

    named = layout.base if layout.label is None else layout.label
    symbols = _names(layout, named if named is not None else 0)
    if layout.quote is None:
        return symbols
    quotes = _names(layout, layout.quote)
    if layout.label is None:
        return pc.binary_join_element_wise(symbols, quotes, "/")
    _check_quotes(layout, quotes, "")
    return symbols


def _names(layout: Layout, position: int) -> Any:
    """Returns a column of names as a pyarrow array; PriceError if a cell is empty."""
    cells = texts_of(layout.sheet.read({position: "text"})[0], layout.where(position))
    if cells.null_count:
        row = int(np.argmax(cells.is_null().to_numpy(zero_copy_only=False)))
        name = layout.sheet.names[position]
        raise PriceError(f"{layout.path}, {row_text(row)}: the column {name!r} is empty; it must name a token")
    return cells


def check_labels(layout: Layout, token: str) -> None:
    """Raises PriceError if a file for one token states that its prices are of other tokens, or not in dollars."""
    if layout.ticker is not None and not stands_for(layout.ticker, token):
        raise PriceError(
            f"{layout.path} is read for token {token!r}, and its header says {layout.ticker!r}: "
            f"{refusal(layout.ticker, token)}; {_REMEDY}"
        )
    for position in (layout.label, layout.base):
        if position is None:
            continue
        cells = _names(layout, position)
        held = cells.unique().to_pylist()
        if len(held) > 1:
            row = cells.index(held[1]).as_py()
            raise PriceError(
                f"{layout.where(position)} names more than one: {', '.join(held[:5])}{', …' if len(held) > 5 else ''} (from "
                f"{row_text(row)}); keep the rows of {token}, or give the file itself as the source, not its folder"
            )
        if held and not stands_for(held[0], token):
            raise PriceError(
                f"{layout.where(position)} says {held[0]!r}, and the file is read for token {token!r}: "
                f"{refusal(held[0], token)}; {_REMEDY}"
            )
    if layout.quote is not None:
        _check_quotes(layout, _names(layout, layout.quote), token)
    for position in layout.loose:
        cells = texts_of(layout.sheet.read({position: "text"})[0], layout.where(position))
        for held in cells.drop_null().unique().to_pylist():
            pair = "_".join(re.split(r"[_\-/.: ]", held)[-2:])  # an exchange may come first: BITSTAMP_SPOT_BTC_USD
            if _TICKER.fullmatch(held) and not stands_for(held, token) and not stands_for(pair, token):
                row = cells.index(held).as_py()
                raise PriceError(
                    f"{layout.where(position)}, {row_text(row)}: {held!r} is not {token}, which the file is read for; {_REMEDY}"
                )


def check_member(path: Path, token: str) -> None:
    """Raises PriceError if the file inside a zip file is of another pair: ``ETHUSDT-1d-2024-01.csv`` in ``BTC.zip``."""
    inside = member_of(path) or ""
    pair = re.match(r"[A-Z0-9]{2,}?(USDT|USDC|FDUSD|BUSD|USD)(?![A-Za-z0-9])", inside)
    if pair and not stands_for(pair[0], token):
        raise PriceError(
            f"{path} is read for token {token!r}, and holds {inside}.csv: {refusal(pair[0], token)}; {_REMEDY}"
        )


def _check_quotes(layout: Layout, quotes: Any, token: str) -> None:
    for quote in quotes.unique().to_pylist():
        if not is_dollar(quote) and not (token and stands_for(quote, token)):
            row = quotes.index(quote).as_py()
            raise PriceError(
                f"{layout.where(layout.quote or 0)}, {row_text(row)}: the prices are in {quote!r}, not in dollars; multiply "
                f"them by the price of {quote}, or take prices in dollars"
            )
