"""The sections of a report, one file each. To add one, write a file and name its function in :data:`SECTIONS`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from quantsim.report.html.sections.attribution import attribution
from quantsim.report.html.sections.contract import contract
from quantsim.report.html.sections.deployment import deployment
from quantsim.report.html.sections.headline import headline
from quantsim.report.html.sections.importances import importances
from quantsim.report.html.sections.metrics import metrics
from quantsim.report.html.sections.monthly import monthly
from quantsim.report.html.sections.price_range import price_range
from quantsim.report.html.sections.rolling import rolling
from quantsim.report.html.sections.study import study
from quantsim.report.html.sections.tear_sheet import tear_sheet
from quantsim.report.html.sections.training import training
from quantsim.report.html.sections.validation import validation
from quantsim.report.html.sections.value import value
from quantsim.report.html.sections.walk_forward import walk_forward
from quantsim.report.html.sections.weights import weights

if TYPE_CHECKING:
    from quantsim.report.html.blocks import Section
    from quantsim.report.html.content import Content

__all__ = ["SECTIONS"]

SECTIONS: tuple[Callable[[Content], Section | None], ...] = (
    headline,
    value,
    weights,
    price_range,
    attribution,
    metrics,
    validation,
    rolling,
    monthly,
    importances,
    training,
    walk_forward,
    tear_sheet,
    study,
    contract,
    deployment,
)
"""The sections in order. A function returns None if its section does not apply."""
