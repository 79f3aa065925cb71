"""How results show themselves in a notebook."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["as_html"]


def as_html(text: str, frame: pd.DataFrame) -> str:
    """Returns a line of text above a table, for ``_repr_html_``."""
    return f"<p>{html.escape(text)}</p>{frame.to_html(float_format=lambda value: f'{value:.4g}', na_rep='')}"
