"""What a section of a report consists of. ``templates/report.html.jinja`` says how each block is shown."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from rich.table import Table as RichTable

__all__ = [
    "Block",
    "Cell",
    "Code",
    "Download",
    "Drawing",
    "Figure",
    "Frame",
    "Section",
    "Table",
    "Text",
    "Tile",
    "Tiles",
]


@dataclass(frozen=True)
class Text:
    """A paragraph.

    Attributes:
        text: plain text.
        style: "", "muted", "strong", "caution", or "verdict", for the judgement.
        tone: tone of a verdict: "good", "bad" or "" for neither.
    """

    kind: ClassVar[str] = "text"
    text: str
    style: str = ""
    tone: str = ""


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        text: first line.
        detail: second line, in small letters.
        shade: share of the full colour, -1 (loss) to 1 (gain); None for no colour.
        strong: whether it is in bold letters.
    """

    text: str
    detail: str = ""
    shade: float | None = None
    strong: bool = False


@dataclass(frozen=True)
class Table:
    """A table. The first column is aligned to the left, the others as ``numeric`` says.

    Attributes:
        head: headings.
        rows: rows of as many cells.
        title: title; empty for none.
        caption: line below it; empty for none.
        numeric: whether the other columns are aligned to the right.
        prose: whether the last column holds sentences, which may break.
    """

    kind: ClassVar[str] = "table"
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    title: str = ""
    caption: str = ""
    numeric: bool = True
    prose: bool = False

    @classmethod
    def of(cls, table: RichTable, **changes: Any) -> Table:
        """Returns the table that the terminal shows as a table of the page. Second lines of cells become details."""
        columns = [list(column.cells) for column in table.columns]
        rows = zip(*columns, strict=True) if columns else ()
        strong = [str(row.style or "") == "bold" for row in table.rows]
        return cls(
            **{
                "head": tuple(str(column.header).replace("-\n", "").replace("\n", " ") for column in table.columns),
                "rows": tuple(
                    tuple(_cell(str(cell), strong=bold) for cell in row) for row, bold in zip(rows, strong, strict=True)
                ),
                "title": str(table.title or ""),
                "caption": str(table.caption or ""),
                "numeric": any(column.justify == "right" for column in table.columns),
                **changes,
            }
        )


def _cell(text: str, *, strong: bool) -> Cell:
    first, _, second = text.partition("\n")
    return Cell(first.strip(), second.strip(), strong=strong)


@dataclass(frozen=True)
class Figure:
    """An interactive figure of plotly; see :mod:`quantsim.report.html.interactive`.

    Attributes:
        name: unique name, a valid id.
        spec: data and layout as JSON values.
        alt: description of what it shows.
        height: height in pixels.
    """

    kind: ClassVar[str] = "figure"
    name: str
    spec: dict[str, Any]
    alt: str
    height: int = 420


@dataclass(frozen=True)
class Drawing:
    """A still picture.

    Attributes:
        svg: SVG markup of :func:`quantsim.report.html.drawing.svg_of`, which is not escaped.
        alt: description of what it shows.
        title: title; empty for none.
    """

    kind: ClassVar[str] = "drawing"
    svg: str
    alt: str
    title: str = ""


@dataclass(frozen=True)
class Code:
    """Text in a fixed font.

    Attributes:
        text: the text.
        title: title to click on, which shows the text; empty to show it always.
    """

    kind: ClassVar[str] = "code"
    text: str
    title: str = ""


@dataclass(frozen=True)
class Download:
    """A link to a file inside the page.

    Attributes:
        name: name of the file.
        label: text of the link.
        content: content of the file.
        media_type: such as ``application/json``.
    """

    kind: ClassVar[str] = "download"
    name: str
    label: str
    content: str
    media_type: str = "text/plain"

    @property
    def url(self) -> str:
        """The file as a data URL."""
        return f"data:{self.media_type};base64,{base64.b64encode(self.content.encode()).decode()}"


@dataclass(frozen=True)
class Tile:
    """A figure in large letters.

    Attributes:
        label: name of the figure.
        value: the figure.
        detail: interval or comparison, in small letters.
    """

    label: str
    value: str
    detail: str = ""


@dataclass(frozen=True)
class Tiles:
    """Figures in large letters, beside each other."""

    kind: ClassVar[str] = "tiles"
    tiles: tuple[Tile, ...]


@dataclass(frozen=True)
class Frame:
    """A whole page of another library, shown inside this one without scripts.

    Attributes:
        html: the page; it must not need the network.
        title: title to click on, which shows the page.
    """

    kind: ClassVar[str] = "frame"
    html: str
    title: str


Block = Text | Table | Figure | Drawing | Code | Download | Tiles | Frame


@dataclass(frozen=True)
class Section:
    """A section of a report.

    Attributes:
        name: unique name, a valid id.
        title: heading.
        blocks: what it shows, in order.
    """

    name: str
    title: str
    blocks: Sequence[Block] = field(default_factory=tuple)
