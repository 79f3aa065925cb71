"""The tear sheet of quantstats, as a page inside the page (extra ``tearsheet``)."""

from __future__ import annotations

import contextlib
import html
import logging
import re
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from quantsim.baseline import BENCHMARK
from quantsim.errors import ConfigError
from quantsim.metrics.sample import DAYS_PER_YEAR
from quantsim.report.comparison import SELECTED
from quantsim.report.html.blocks import Frame, Section, Text
from quantsim.report.html.colours import TITLES

if TYPE_CHECKING:
    from quantsim.report.html.content import Content

__all__ = ["check_quantstats", "tear_sheet"]

# Dates and addresses of metadata, links, and the icon, which a browser would fetch.
_NOT_WANTED = re.compile(
    r"<metadata>.*?</metadata>|<link [^>]*>|</?a\b[^>]*>|<script.*?</script>|<\?xml[^>]*>|<!DOCTYPE svg[^>]*>",
    re.DOTALL,
)
_NARROW = "<style>@media (max-width: 700px) { body { margin: 8px } #left, #right { width: 100%; float: none } }</style></head>"


def check_quantstats() -> None:
    """Raises ConfigError if quantstats is not installed."""
    try:
        with _quiet():
            import quantstats  # noqa: F401
    except ImportError as error:
        raise ConfigError("a tear sheet needs quantstats: pip install 'quantsim[tearsheet]'") from error


def tear_sheet(content: Content) -> Section | None:
    """Returns the section; None unless it is wanted."""
    if not content.tear_sheet:
        return None
    text = (
        "The tear sheet of quantstats, of daily returns through all splits against constant weights, annualised by 365 days. "
        "It knows no splits: it includes the data that parameters were fitted to, and has no intervals."
    )
    return Section("tear-sheet", "Tear sheet", (Text(text, "muted"), Frame(_page(content), "Show it")))


def _page(content: Content) -> str:
    """Returns the page of quantstats, without what it would fetch."""
    days = pd.DatetimeIndex(content.curves.times[1:].astype("datetime64[D]"))
    selected, benchmark = (
        pd.Series(np.expm1(content.curves.log_returns[name]), days, name=TITLES[name]) for name in (SELECTED, BENCHMARK)
    )
    with tempfile.TemporaryDirectory() as folder, _quiet():
        import quantstats

        path = Path(folder) / "tear_sheet.html"
        write: Any = quantstats.reports.html  # not typed
        write(
            selected,
            benchmark=benchmark,
            output=str(path),
            title=html.escape(content.title),
            periods_per_year=int(DAYS_PER_YEAR),
            match_dates=False,
        )
        text = path.read_text(encoding="utf-8")
    return _NOT_WANTED.sub("", text).replace("</head>", _NARROW, 1)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hides warnings of quantstats about its libraries and about fonts, and keeps its style from other pictures."""
    import matplotlib

    fonts = logging.getLogger("matplotlib.font_manager")
    level = fonts.level
    fonts.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), matplotlib.rc_context({"svg.hashsalt": "tear-sheet"}):
            warnings.simplefilter("ignore")
            yield
    finally:
        fonts.setLevel(level)
