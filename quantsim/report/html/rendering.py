"""Renders the sections of a report as one page."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from quantsim.errors import ConfigError
from quantsim.report.html.blocks import Block, Figure, Section
from quantsim.report.html.sections import SECTIONS

if TYPE_CHECKING:
    from markupsafe import Markup

    from quantsim.report.html.content import Content

__all__ = ["check_libraries", "page", "with_code"]


def check_libraries(*, tear_sheet: bool = False) -> None:
    """Raises ConfigError, with the remedy, if a library of reports is not installed."""
    try:
        import jinja2  # noqa: F401
        import matplotlib  # noqa: F401
        import plotly  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"a report needs {error.name}, which is not installed: pip install 'quantsim[plots]'"
        ) from error
    if tear_sheet:
        from quantsim.report.html.sections.tear_sheet import check_quantstats

        check_quantstats()


def page(content: Content) -> str:
    """Returns the page as HTML; equal content gives equal text. Passwords in URLs are redacted.

    Raises:
        ConfigError: a library is not installed.
    """
    check_libraries(tear_sheet=content.tear_sheet)
    import jinja2
    import plotly.offline

    from quantsim import __version__

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("quantsim.report.html"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"groupby_kind": _groups, "with_code": with_code}
    sections = [section for section in (make(content) for make in SECTIONS) if section is not None]
    return environment.get_template("report.html.jinja").render(
        title=content.title,
        content=content,
        sections=sections,
        version=__version__,
        plotly=plotly.offline.get_plotlyjs() if any(_is_interactive(one) for one in sections) else "",
    )


def _groups(blocks: Sequence[Block]) -> list[list[Block]]:
    """Returns blocks of one kind that follow one another together."""
    return [list(group) for _, group in itertools.groupby(blocks, key=lambda block: block.kind)]


def with_code(text: str) -> Markup:
    """Returns a text as HTML, with what is between backticks as code."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 (escaped before)


def _is_interactive(section: Section) -> bool:
    return any(isinstance(block, Figure) for block in section.blocks)
