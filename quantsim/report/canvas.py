"""Shared by all pictures: colours, size, and a figure that needs no display."""

from __future__ import annotations

import contextlib
import importlib
import io
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from quantsim.errors import ConfigError
from quantsim.report.formats import suits_log_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

__all__ = [
    "GRID",
    "INK",
    "MUTED",
    "STYLE",
    "SUFFIXES",
    "TOKENS",
    "add_title",
    "blank_figure",
    "figure_svg",
    "import_ahead",
    "require_matplotlib",
    "save_figure",
    "scale_values",
]

SUFFIXES = (".png", ".svg", ".pdf")

INK, MUTED, GRID = "#1f2933", "#616e7c", "#e4e7eb"
TOKENS = ("#1b6ca8", "#7cb5d6", "#2a9d8f", "#a8d5a2", "#e9b44c", "#d9822b", "#b5485d", "#8e6c8a")

_INCHES = (16.0, 9.0)
_DOTS_PER_INCH = 100  # 1600 x 900 pixels

STYLE: Any = {
    "font.size": 13.0,
    "font.family": "sans-serif",
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "legend.frameon": False,
    "svg.fonttype": "none",
}


def require_matplotlib() -> None:
    """Raises ConfigError, with the remedy, if matplotlib is not installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            "pictures need matplotlib, which is not installed: pip install 'quantsim[plots]' (or pip install matplotlib)"
        ) from error


def import_ahead() -> threading.Thread:
    """Imports matplotlib in a thread, while this one waits for programs to be compiled; does nothing without matplotlib."""

    def run() -> None:
        with contextlib.suppress(ImportError):
            for module in ("backends.backend_agg", "dates", "figure", "layout_engine"):
                importlib.import_module(f"matplotlib.{module}")

    thread = threading.Thread(target=run, name="quantsim-matplotlib", daemon=True)
    thread.start()
    return thread


def blank_figure() -> Figure:
    """Returns an empty white figure. Call it, and draw, inside a context with ``STYLE``.

    As the last line of a notebook's cell it shows itself, without any set-up of matplotlib.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    require_matplotlib()
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    class Shown(Figure):
        def _repr_png_(self) -> bytes:
            with io.BytesIO() as file, matplotlib.rc_context(STYLE):
                self.savefig(file, format="png", dpi=_DOTS_PER_INCH)
                return file.getvalue()

    layout = ConstrainedLayoutEngine(w_pad=0.15, h_pad=0.15)  # inches
    figure = Shown(figsize=_INCHES, dpi=_DOTS_PER_INCH, facecolor="white", layout=layout)
    FigureCanvasAgg(figure)  # draws without a display; savefig picks others by suffix
    return figure


def add_title(axes: Axes, title: str, text: str) -> None:
    """Adds a title, and a text of one or more lines between it and the axes."""
    axes.set_title(title, loc="left", fontsize=19, fontweight="bold", pad=34 + 18 * text.count("\n"))
    axes.annotate(
        text, (0.0, 1.0), (0, 12), "axes fraction", textcoords="offset points", color=MUTED, fontsize=14, va="bottom"
    )


def scale_values(axes: Axes, *values: ArrayLike) -> None:
    """Makes the axis of values logarithmic if :func:`~quantsim.report.formats.suits_log_axis` says so, with readable ticks."""
    from matplotlib.ticker import LogLocator, NullFormatter

    if not suits_log_axis(*values):
        return
    ends = [end for one in values for end in (np.nanmin(one), np.nanmax(one))]
    few = max(ends) <= 300.0 * min(ends)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if few else (1.0,)))
    axes.yaxis.set_minor_formatter(NullFormatter())


def save_figure(figure: Figure, path: Path) -> None:
    """Writes the figure, in the format of the suffix.

    Raises:
        OSError: the file cannot be written.
    """
    import matplotlib

    with matplotlib.rc_context(STYLE):
        canvas: Any = figure.canvas
        if path.suffix == ".png":
            canvas.print_png(path, pil_kwargs={"compress_level": 3})  # savefig would lay it out and draw it twice
        else:
            figure.savefig(path, dpi=_DOTS_PER_INCH)


def figure_svg(figure: Figure, salt: str = "quantsim") -> str:
    """Returns a figure as an SVG element, without the header of a file. Equal figures give equal text.

    Args:
        figure: the figure.
        salt: text that the ids of its parts depend on.
    """
    import matplotlib

    with io.StringIO() as file, matplotlib.rc_context({**STYLE, "svg.hashsalt": salt}):
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
        text = file.getvalue()
    return text[text.index("<svg") :]
