"""A validation as text: a short form for the end of a run, and a table of all figures."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from quantsim.metrics.sample import DAYS_PER_YEAR
from quantsim.validation.as_json import PBO_NOTE
from quantsim.validation.judgement import yearly_ratio, yearly_return

if TYPE_CHECKING:
    from quantsim.statistics.bootstrap import Interval
    from quantsim.validation import Validation
    from quantsim.validation.evidence import Evidence

__all__ = ["validation_lines", "validation_markdown", "validation_table"]


def validation_lines(validation: Validation) -> list[str]:
    """Returns the short form: the judgement, the figures behind it, and where the selected set came from."""
    first, *others = validation.judgement.sentences
    lines = [first]
    if (evidence := validation.evidence) is not None:
        lines.append(_trials(validation, evidence))
    lines += others
    if evidence is not None:
        lines.append(_others(validation.metric, evidence))
    return [*lines, f"The selected set is {validation.origin.text}."]


def validation_markdown(validation: Validation) -> list[str]:
    """Returns the short form and the warnings as lines of Markdown, for the note of a study."""
    lines = [*validation_lines(validation), *(f"**Warning:** {text}." for text in validation.warnings)]
    return [f"* {line}" for line in lines]


def _trials(validation: Validation, evidence: Evidence) -> str:
    left_out = f", {validation.trials.left_out} more without finite returns" if validation.trials.left_out else ""
    return (
        f"{evidence.n_trials} trials{left_out}, equivalent to {evidence.independent_trials:.2g} independent trials (effective "
        f"number of trials {evidence.effective_trials:.2g}). Deflated Sharpe ratio {evidence.deflated_sharpe:.2f}, SPA p "
        f"value {evidence.spa.consistent:.2f}, probability of loss out of sample "
        f"{evidence.overfitting.probability_of_loss:.2f}."
    )


def _others(metric: str, evidence: Evidence) -> str:
    averages = (f"{split} {100.0 * yearly_return(found.point):+.0f} %" for split, found in evidence.average.items())
    found = [
        f"{one} and {other} {each.value:.2f}"
        for (one, other), each in evidence.rank_correlation.items()
        if math.isfinite(each.value)
    ]
    text = f"The average trial against constant weights, per year: {', '.join(averages)}"
    return f"{text}. Rank correlation of {metric}: {', '.join(found)}." if found else f"{text}."


def validation_table(validation: Validation) -> Table:
    """Returns one row per figure, with its meaning; ratios are annualised."""
    title = f"Validation of {validation.checkpoint.key}"
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_column("meaning", style="dim")
    table.add_row("trials", f"{validation.trials.count:,}", "evaluated parameter sets")
    if (evidence := validation.evidence) is not None:
        _add_figures(table, validation, evidence)
        _add_intervals(table, evidence)
    return table


def _add_figures(table: Table, validation: Validation, evidence: Evidence) -> None:
    clusters = "" if validation.clusters is None else f"; {validation.clusters} clusters"
    spa, keys = evidence.spa, [validation.trials.rows[index].key for index in evidence.superior]
    rows = [
        ("effective trials", f"{evidence.effective_trials:.1f}", f"from the correlations of their returns{clusters}"),
        (
            "independent trials",
            f"{evidence.independent_trials:.1f}",
            "whose best is expected to be as high, without skill",
        ),
        ("days", f"{evidence.n_days}", f"{' and '.join(evidence.searched)}, used for search or selection"),
        ("information ratio", f"{yearly_ratio(evidence.ratio):.2f}", "of the selected set, against constant weights"),
        (
            "expected best of noise",
            f"{yearly_ratio(evidence.expected_best):.2f}",
            "of this number of independent trials without skill",
        ),
        (
            "significant from",
            f"{yearly_ratio(evidence.needed):.2f}",
            "smallest significant information ratio (StepM)",
        ),
        (
            "deflated Sharpe ratio",
            f"{evidence.deflated_sharpe:.3f}",
            "probability that the ratio is above the expected best of noise",
        ),
        (
            "deflated Sharpe ratio, best trial",
            f"{evidence.best_deflated_sharpe:.3f}",
            f"{validation.trials.rows[evidence.best].key}, which has the highest ratio on these days",
        ),
        (
            "SPA p value",
            f"{spa.consistent:.3f}",
            f'of "no trial beats constant weights"; lower {spa.lower:.3f}, upper {spa.upper:.3f}',
        ),
        ("StepM", f"{len(keys)}", "trials that beat constant weights" + (f": {', '.join(keys[:5])}" if keys else "")),
        (
            "probability of loss",
            f"{evidence.overfitting.probability_of_loss:.2f}",
            "that the best trial of half the days loses to constant weights on the other half",
        ),
        ("PBO", f"{evidence.overfitting.pbo:.2f}", PBO_NOTE),
    ]
    for split, average in evidence.average.items():
        rows.append((f"average trial, {split}", _percent(average), "per year, against constant weights"))
    for (one, other), found in evidence.rank_correlation.items():
        ends = f"{found.interval.lower:.2f} to {found.interval.upper:.2f} if trials were independent"
        rows.append((f"rank correlation {one}, {other}", f"{found.value:.2f}", f"of {validation.metric}; {ends}"))
    for row in rows:
        table.add_row(*row)


def _add_intervals(table: Table, evidence: Evidence) -> None:
    table.add_section()
    for split, found in evidence.intervals.items():
        table.add_row(f"Sharpe ratio, {split}", _ratio(found.sharpe), "of the selected set, daily log returns")
        table.add_row(f"over constant weights, {split}", _ratio(found.sharpe_difference), "difference of Sharpe ratios")
        table.add_row(
            f"excess return, {split}", _percent(found.excess, found.n_days), "against constant weights, whole split"
        )


def _ratio(found: Interval) -> str:
    point, lower, upper = map(yearly_ratio, (found.point, found.lower, found.upper))
    return f"{point:.1f} ({lower:.1f} to {upper:.1f})"


def _percent(found: Interval, n_days: float = DAYS_PER_YEAR) -> str:
    point, lower, upper = (100.0 * math.expm1(n_days * value) for value in (found.point, found.lower, found.upper))
    return f"{point:+.0f} % ({lower:+.0f} to {upper:+.0f})"
