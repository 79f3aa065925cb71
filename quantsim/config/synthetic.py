"""The table ``[data.synthetic]``: the parameters of synthetic prices."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from quantsim.config.paths import MEMORY
from quantsim.errors import PriceError
from quantsim.prices.synthetic.source import is_synthetic, made, parsed, written
from quantsim.settings.kinds import flat_table

__all__ = ["place_of", "with_synthetic_table"]

_KIND = "kind"


def with_synthetic_table(data: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the table ``[data]`` with all parameters of synthetic prices, and their kind, in the table ``synthetic``.

    Raises:
        ValueError: the source is not synthetic but the table is there, a parameter is unknown or invalid, or the table and the
            source set the same one.
    """
    source, table = data.get("source"), data.get("synthetic")
    if not isinstance(table or {}, Mapping | tuple):
        return dict(data)  # pydantic says so
    given = {key: _plain(value) for key, value in flat_table(dict(table or {})).items()}
    if not is_synthetic(source):
        if given and source != MEMORY:
            raise ValueError(
                f"synthetic is the table of synthetic prices, but source is {source or 'bundled'!r}: set source to "
                f"'synthetic:{given.get(_KIND, 'gbm')}', or remove the table"
            )
        return dict(data)
    kind, parameters = parsed(str(source))
    if given.setdefault(_KIND, kind) != kind:
        raise ValueError(
            f"synthetic.kind = {given[_KIND]!r} is another kind than source = {source!r} names: leave synthetic.kind out"
        )
    both = sorted(parameters.keys() & given.keys())
    if both:
        raise ValueError(
            f"source = {source!r} and synthetic.{both[0]} = {given[both[0]]!r} set the same: leave one out"
        )
    given |= parameters
    try:
        made(kind, {key: value for key, value in given.items() if key != _KIND})
    except PriceError as error:
        raise ValueError(f"synthetic: {error}") from error
    return {**data, "source": f"synthetic:{kind}", "synthetic": given}


def place_of(source: str, table: Mapping[str, Any]) -> str:
    """Returns a source with the parameters of the table ``synthetic``."""
    if not is_synthetic(source):
        return source
    parameters = {key: value for key, value in table.items() if key != _KIND}
    return written(parsed(source)[0], parameters)


def _plain(value: Any) -> Any:
    """Dates of TOML as text, as JSON keeps them."""
    return value.isoformat() if isinstance(value, date | datetime) else value
