"""Tables of the fit of a volume model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from quantsim.report.layout import plain_table

if TYPE_CHECKING:
    from quantsim.volume.fit import VolumeFit

__all__ = ["errors_line", "volume_table"]


def volume_table(fit: VolumeFit) -> Table:
    """Returns one row per parameter: the estimate, its 90 % interval, and the share that the data decides."""
    table = plain_table("Volume of noise traders")
    for name in ("parameter", "estimate", "90 % interval", "from data"):
        table.add_column(name, justify="left" if name == "parameter" else "right")
    for name, one in fit.estimates.items():
        digits = ",.0f" if name == "usd_per_day" else ".2f"
        interval = f"{one.low:{digits}} to {one.high:{digits}}"
        told = f"{100 * one.from_data:.0f} %" + ("" if one.is_identified else ", prior decides")
        table.add_row(name, f"{one.value:{digits}}", interval, told)
    table.add_row("reference_fee", f"{fit.model.reference_fee:g}", "", "")
    table.add_row("reference_volatility", f"{fit.model.reference_volatility:.4f}", "", "")
    return table


def errors_line(fit: VolumeFit) -> str:
    """Returns what the fit is from, and how well it predicts, as sentences."""
    zero = f", {fit.n_zero} without volume" if fit.n_zero else ""
    missing = f", {fit.n_missing} missing" if fit.n_missing else ""
    fees = f"{fit.n_fees} values" if fit.n_fees > 1 else "1 value"
    return (
        f"{fit.n_days} days{zero}{missing}; {fees} of the fee. Errors of log volume: standard deviation {fit.deviation:.2f}, "
        f"correlation {fit.correlation:.2f} from day to day. Leave-one-out 90 % intervals hold {100 * fit.coverage:.0f} % of "
        "the days."
    )
