"""Data frames of other libraries, such as polars, as frames of pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from quantsim.errors import PriceError
from quantsim.prices.cells import times_of
from quantsim.prices.header import TIME_NAMES, normal

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ArrowFrame", "is_frame", "pandas_frame"]


class ArrowFrame(Protocol):
    """A table that exports Arrow: a frame of polars, a table of pyarrow, a relation of DuckDB."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Exports the table."""


def is_frame(value: object) -> bool:
    """Whether a value is a frame of pandas, or a table that exports Arrow."""
    return hasattr(value, "__arrow_c_stream__")  # pandas exports it, too


def pandas_frame(frame: pd.DataFrame | ArrowFrame, where: str) -> pd.DataFrame:
    """Returns a frame of pandas as it is, and another one with its times as index.

    Columns of numbers without missing values are not copied.

    Raises:
        PriceError: this is no frame; or a frame that is not of pandas has no time column, or one that holds no times.
    """
    import pandas as pd

    if isinstance(frame, pd.DataFrame):
        return frame
    if not is_frame(frame):
        raise PriceError(f"{where} is a {type(frame).__name__}; it must be a data frame of pandas or polars")
    import pyarrow as pa

    table = pa.table(frame)
    columns = {normal(name): name for name in reversed(table.column_names)}
    name = next((columns[name] for name in TIME_NAMES if name in columns), None)
    if name is None:
        raise PriceError(f"{where} has no times: give it a column timestamp")
    index = pd.DatetimeIndex(times_of(table.column(name), where).view("datetime64[us]"), name=name)
    converted: pd.DataFrame = table.drop_columns([name]).to_pandas(split_blocks=True)
    return converted.set_index(index)
