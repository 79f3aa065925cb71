"""Tables of a walk-forward: its curve beside baselines, its folds, the stability of its parameters, and several trainers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from quantsim.baseline import BENCHMARK, HODL, TITLES
from quantsim.metrics.sample import DAYS_PER_YEAR
from quantsim.report.formats import certain_text, number_text
from quantsim.report.layout import plain_table

if TYPE_CHECKING:
    from quantsim.out_of_sample.comparison import Comparison
    from quantsim.out_of_sample.curves import Curve, Difference
    from quantsim.out_of_sample.outcome import FoldOutcome, WalkForwardOutcome
    from quantsim.out_of_sample.paths import PathsOutcome
    from quantsim.out_of_sample.stability import Stability
    from quantsim.statistics import Interval

__all__ = ["CURVES", "comparison_table", "curves_table", "folds_table", "paths_table", "stability_table"]

CURVES = {
    "carried": "pool carried forward",
    "restarted": "new pool per fold",
    **TITLES,
}
"""Name of a curve → its name in tables and pictures."""

_RATIO, _FRACTION = "ratio, annualised", "fraction per year"


def curves_table(outcome: WalkForwardOutcome) -> Table:
    """Returns one row per out-of-sample curve, with intervals, and the excess of the pool over each baseline."""
    level = f"{100.0 * outcome.resampling.level:.0f} %"
    table = plain_table(f"Out of sample, with {level} intervals")
    headings = ("", "growth,\n% a year", "Sharpe\nratio", "pool minus it,\n% a year", "information\nratio vs it")
    for heading in headings:
        table.add_column(heading, justify="right" if heading else "left")
    pools = (outcome.restarted,) if outcome.carried is None else (outcome.carried, outcome.restarted)
    for curve in (*pools, *outcome.baselines.values()):
        own = curve is outcome.out_of_sample
        cells = _difference_cells(outcome.differences.get(curve.name))
        table.add_row(CURVES[curve.name], *_curve_cells(curve), *cells, style="bold" if own else "")
    return table


def folds_table(outcome: WalkForwardOutcome) -> Table:
    """Returns one row per fold: Sharpe and information ratios in and out of sample, and the efficiency."""
    table = plain_table("Folds: Sharpe ratios, and information ratios (IR) against constant weights")
    headings = [
        "fold",
        "train\ndays",
        "test\nfrom",
        "test\ndays",
        "Sharpe\nin",
        "vali-\ndation",
        "out",
        "effi-\nciency",
    ]
    headings += ["IR\nin", "out", "effi-\nciency"]
    validated = any(not math.isnan(row.validation) for row in outcome.folds)
    for heading in headings:
        if not heading.startswith("vali") or validated:
            table.add_column(heading, justify="right", no_wrap=True)
    for row in outcome.folds:
        table.add_row(*_fold_cells(row, validated=validated))
    if any(math.isnan(value) for row in outcome.folds for value in (row.efficiency, row.excess_efficiency)):
        table.caption = "–: undefined, because the in-sample ratio is not positive"
        table.caption_justify = "left"
    return table


def stability_table(parameters: tuple[Stability, ...]) -> Table:
    """Returns one row per parameter: median and quartiles over the folds, and the relative spread."""
    table = plain_table("Parameters over the folds")
    for heading in ("parameter", "25 %", "median", "75 %", "spread"):
        table.add_column(heading, justify="left" if heading == "parameter" else "right")
    table.add_column("unit", style="dim")
    for row in parameters:
        spread = "–" if math.isnan(row.relative_spread) else f"{100.0 * row.relative_spread:.0f} %"
        cells = map(number_text, (row.lower_quartile, row.median, row.upper_quartile))
        table.add_row(row.name, *cells, spread, row.unit or "1")
    return table


def comparison_table(comparison: Comparison) -> Table:
    """Returns one row per trainer, with its difference to constant weights and to the first trainer."""
    first = comparison.rows[0].outcome
    level = f"{100.0 * first.resampling.level:.0f} %"
    table = plain_table(f"Trainers on the same {len(first.folds)} folds, out of sample, with {level} intervals")
    headings = (
        "trainer",
        "growth,\n% a year",
        "Sharpe\nratio",
        "over constant weights,\n% a year",
        f"over {first.trainer},\n% a year",
    )
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "trainer" else "right")
    for row in comparison.rows:
        outcome = row.outcome
        over = _growth(outcome.differences[BENCHMARK].excess)
        to_first = "" if row.to_first is None else _growth(row.to_first.excess)
        table.add_row(outcome.trainer, *_curve_cells(outcome.out_of_sample), over, to_first)
    return table


def paths_table(outcome: PathsOutcome) -> Table:
    """Returns the quantiles of ratios over the paths of combinatorial cross-validation, beside those of the baselines."""
    table = plain_table(f"{len(outcome.paths)} paths through {len(outcome.groups)} groups, out of sample")
    for heading in ("", "5 %", "25 %", "median", "75 %", "95 %", "constant weights", "HODL"):
        table.add_column(heading, justify="right" if heading else "left")
    error = math.sqrt(DAYS_PER_YEAR / outcome.daily_log_returns.shape[1])
    held = [outcome.baselines[name] for name in (BENCHMARK, HODL)]
    for name, values in (("Sharpe ratio", outcome.sharpes), ("information ratio", outcome.information_ratios)):
        cells = [
            certain_text(outcome.quantile(values, share), error, _RATIO) for share in (0.05, 0.25, 0.5, 0.75, 0.95)
        ]
        beside = (
            [certain_text(curve.sharpe.point, error, _RATIO) for curve in held] if name == "Sharpe ratio" else ["", ""]
        )
        table.add_row(name, *cells, *beside)
    return table


def _curve_cells(curve: Curve) -> tuple[Text, Text]:
    return _growth(curve.growth), _ratio(curve.sharpe)


def _difference_cells(found: Difference | None) -> tuple[Text, Text] | tuple[str, str]:
    return ("", "") if found is None else (_growth(found.excess), _ratio(found.information_ratio))


def _fold_cells(row: FoldOutcome, *, validated: bool) -> list[str]:
    fold = row.fold
    spans: Mapping[str, float] = {
        "train": fold.train.days,
        "validation": 0.0 if fold.validation is None else fold.validation.days,
        "test": fold.test.days,
    }

    def ratio(value: float, split: str) -> str:
        days = spans[split]
        return certain_text(value, math.sqrt(DAYS_PER_YEAR / days) if days else None, _RATIO)

    def left(efficiency: float, in_sample: float) -> str:
        if math.isnan(efficiency):
            return "–"
        return certain_text(efficiency, math.sqrt(DAYS_PER_YEAR / fold.test.days) / in_sample, _RATIO)

    cells = [str(fold.position), f"{fold.train.days:g}", f"{fold.test.start:%Y-%m-%d}", f"{fold.test.days:g}"]
    cells.append(ratio(row.in_sample, "train"))
    if validated:
        cells.append(ratio(row.validation, "validation"))
    cells += [ratio(row.out_of_sample, "test"), left(row.efficiency, row.in_sample)]
    cells += [ratio(row.excess_in_sample, "train"), ratio(row.excess_out_of_sample, "test")]
    return [*cells, left(row.excess_efficiency, row.excess_in_sample)]


def _ratio(found: Interval) -> Text:
    return _interval_text((found.point, found.lower, found.upper), found.standard_error, _RATIO)


def _growth(found: Interval) -> Text:
    """Formats a log growth a year as a compound return, in percent."""
    ends = [math.expm1(min(value, 700.0)) for value in (found.point, found.lower, found.upper)]
    return _interval_text(ends, found.standard_error * math.exp(min(found.point, 700.0)), _FRACTION)


def _interval_text(values: Sequence[float], error: float, unit: str) -> Text:
    """Returns the value, and below it the interval in brackets."""
    point, lower, upper = (certain_text(value, error, unit) for value in values)
    return Text.assemble(point, ("" if math.isnan(values[1]) else f"\n[{lower}, {upper}]", "dim"))
