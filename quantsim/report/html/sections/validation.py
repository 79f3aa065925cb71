"""The figures behind the judgement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quantsim.report.html.blocks import Section, Table
from quantsim.report.validation_text import validation_table

if TYPE_CHECKING:
    from quantsim.report.html.content import Content

__all__ = ["validation"]


def validation(content: Content) -> Section | None:
    """Returns the section; None without a validation."""
    if content.validation is None:
        return None
    table = Table.of(validation_table(content.validation), title="", prose=True)
    return Section("validation", "Is it luck?", (table,))
