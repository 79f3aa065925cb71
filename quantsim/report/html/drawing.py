"""Still pictures: SVG of matplotlib, with colours from the style sheet. The same figure gives the same text."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from quantsim.report.canvas import STYLE, figure_svg
from quantsim.report.html.blocks import Drawing
from quantsim.report.html.colours import DRAWN, variable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["date_axis", "drawing_of", "legend_above", "moment", "page_style", "plain", "svg_of"]

_INCHES = (5.2, 2.9)  # so small that its letters can be read on a phone
_STYLE: Any = {**STYLE, "font.size": 10.5}

_COLOUR = re.compile("|".join(map(re.escape, DRAWN)))
_ID = re.compile(r'\bid="|url\(#|xlink:href="#')
_NOT_WANTED = re.compile(
    r"<metadata>.*?</metadata>|<style.*?</style>", re.DOTALL
)  # styles would apply to the whole page
_SIZE = re.compile(r'<svg((?: (?!width|height)[\w:]+="[^"]*")*) width="[^"]*" height="[^"]*"|<svg height="[^"]*"')
_FONT = re.compile(r"(font: (?:\w+ )*[\d.]+px) [^;\"]*")


def drawing_of(
    name: str, draw: Callable[[Axes], None], alt: str, title: str = "", inches: tuple[float, float] = _INCHES
) -> Drawing:
    """Returns a picture of one pair of axes.

    Args:
        name: unique name, a valid id.
        draw: draws into the axes, with the colours of :mod:`quantsim.report.canvas`.
        alt: description of what it shows.
        title: title.
        inches: width and height.
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with page_style():
        figure = Figure(figsize=inches, layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure.subplots())
        return Drawing(svg_of(figure, name), alt, title)


@contextlib.contextmanager
def page_style() -> Iterator[None]:
    """Draws in the style of the page, not in that of a notebook."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield


def svg_of(figure: Figure, name: str) -> str:
    """Returns a figure as SVG for a page: scalable, without a date, with unique ids, in the fonts and colours of the page.

    Args:
        figure: figure with colours of :data:`~quantsim.report.html.colours.DRAWN`.
        name: unique name, which all ids start with.
    """
    for patch in (figure.patch, *(axes.patch for axes in figure.axes)):
        patch.set_alpha(0.0)
    text = _NOT_WANTED.sub("", figure_svg(figure, name))
    text = _SIZE.sub(r"<svg\1", text, count=1)
    text = _ID.sub(lambda found: f"{found[0]}{name}-", text)
    text = _FONT.sub(r"\1 system-ui, sans-serif", text)
    return _COLOUR.sub(lambda found: variable(DRAWN[found[0]]), text)


def moment(time: datetime) -> float:
    """Returns a time as a place on an axis of dates."""
    import matplotlib.dates

    place: float = matplotlib.dates.date2num(time)  # type: ignore[no-untyped-call]
    return place


def plain(text: str) -> str:
    """Returns a text of users for a drawing, where dollars would begin a formula."""
    return text.replace("$", r"\$")


def legend_above(axes: Axes) -> None:
    """Puts the legend above the axes, where it hides nothing."""
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3, fontsize=9, borderaxespad=0.2, columnspacing=1.2)


def date_axis(axes: Axes) -> None:
    """Labels the horizontal axis with short dates."""
    import matplotlib.dates

    dates: Any = matplotlib.dates  # not typed
    axes.xaxis.set_major_locator(dates.AutoDateLocator(minticks=3, maxticks=7))
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(axes.xaxis.get_major_locator()))
