"""Imports downloaded price files: finds the pieces of each token, checks and merges them, and writes one file per token."""

from __future__ import annotations

from quantsim.prices.importing.importing import import_prices
from quantsim.prices.importing.merge import Disagreement
from quantsim.prices.importing.report import ImportedFile, ImportedToken, ImportReport
from quantsim.prices.importing.write import write_prices

__all__ = ["Disagreement", "ImportReport", "ImportedFile", "ImportedToken", "import_prices", "write_prices"]
