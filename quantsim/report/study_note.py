"""What Optuna's dashboard shows of a study: the text of its note, and columns to sort trials by."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from quantsim.checkpoints.checkpoint import SHORT_RUN_ID
from quantsim.checkpoints.database.location import path_or_url
from quantsim.checkpoints.pareto import signed
from quantsim.checkpoints.redact import redact
from quantsim.config import Experiment
from quantsim.objective import is_cost, shown_value, superlative
from quantsim.ranking import clamped, is_ranked
from quantsim.report.comparison_tables import beaten_text, comparison_markdown, comparison_notes
from quantsim.report.formats import fees_text
from quantsim.search_space import Draw, SearchSpace

if TYPE_CHECKING:
    from quantsim.prices import Prices
    from quantsim.report.comparison import Comparison

__all__ = ["dashboard_attributes", "describe_prices", "result_lines", "selection_advice", "study_note"]

Metrics = Mapping[str, Mapping[str, float]]

_OVER_HODL = "returns_over_hodl"

_SORTING = (
    "**To sort trials**, open *Smart Selection* and scroll to the table at its end. A click on the head of a column sorts, "
    "another click reverses the order. `vs HODL` is a fraction: 0.1 is 10 % more than holding."
)
_NEVER_STEERED = (
    "**Test metrics never steered.** Neither the sampler nor the selection above reads them; each trial has them to be "
    "reported. If you pick a trial by a test column, you have no test data left."
)


def dashboard_attributes(metrics: Metrics, objective: str) -> dict[str, float]:
    """Columns to sort trials by: the objective on validation and test, and the return over HODL on every split.

    Args:
        metrics: split → metric → value. The objective on train is the trial's value, and needs no column.
        objective: name of the experiment's objective.

    Returns:
        Column → finite value: ``validation daily_log_sharpe``, ``test daily_log_sharpe``, ``train vs HODL``, … The last are
        ``returns_over_hodl``, a fraction; where that is the objective, there is one column of it for each split. JSON has no
        infinity, and the dashboard cannot sort a column with a text in it: nan is left out, and ± 1.797693e308, the largest
        number, stands for ± infinity.
    """
    columns = {
        f"{split} {objective}": float(table[objective])
        for split, table in metrics.items()
        if split != "train" and objective in table
    }
    if objective != _OVER_HODL:
        columns |= {
            f"{split} vs HODL": float(table[_OVER_HODL]) for split, table in metrics.items() if _OVER_HODL in table
        }
    return {name: clamped(value) for name, value in columns.items() if is_ranked(value)}


def study_note(experiment: Experiment, space: SearchSpace, data: str, advice: str, result: Sequence[str] = ()) -> str:
    """Returns the note of a study in Markdown: experiment, search space, and how to pick a trial. Passwords are redacted.

    Args:
        experiment: the experiment.
        space: the search space.
        data: one line about the prices; see :func:`describe_prices`.
        advice: how to pick a trial, in Markdown; see :func:`selection_advice`.
        result: lines of Markdown on the result; see :func:`result_lines`.
    """
    lines = [
        f"# {experiment.name}",
        "",
        *([experiment.description, ""] if experiment.description else []),
        *(["## Result", "", *result, ""] if result else []),
        *_table(("study", ""), _facts(experiment, data)),
        "",
        "## Search space",
        "",
        *_table(("parameter", "from", "to", "drawn", "unit"), _ranges(experiment, space)),
        "",
        "## Picking a trial",
        "",
        advice,
        "",
        _SORTING,
        "",
        _NEVER_STEERED,
    ]
    return redact("\n".join(lines)) + "\n"


def result_lines(comparison: Comparison) -> list[str]:
    """Returns lines of Markdown: the baselines that beat the selected set, and its metrics beside those of the baselines."""
    beaten = beaten_text(comparison)
    first = [f"**{beaten}**", ""] if beaten else []
    return [*first, *comparison_markdown(comparison), *comparison_notes(comparison)]


def describe_prices(experiment: Experiment, prices: Prices) -> str:
    """Returns one line about prices: span, bars, gaps, identity, and whether they differ from those that the study names."""
    given = experiment.prices_note(prices)
    filled = f", {sum(gap.n_bars for gap in prices.gaps)} bars filled" if prices.gaps else ""
    return (
        f"{prices.times[0]!s:.10} to {prices.times[-1]!s:.10}, bars of {prices.bar_minutes} min{filled}, "
        f"identity {prices.identity[:12]}" + ("" if given is None else f"; {given}")
    )


def selection_advice(experiment: Experiment, run_id: str, store_location: str) -> str:
    """Returns how to pick a trial of a study, in Markdown.

    Args:
        experiment: the experiment.
        run_id: id of the run of the search in the checkpoint store.
        store_location: path or URL of the store; its password is not shown.
    """
    objectives, place = experiment.search_objectives, shlex.quote(redact(path_or_url(store_location)))
    command, best = f"quantsim select --run {run_id[:SHORT_RUN_ID]} --store {place}", superlative(objectives[0])
    method = "best_validation" if experiment.periods.has_validation else "best_train"
    if len(objectives) > 1:
        text = (
            "No trial is best in all objectives: those of the Pareto plot differ in what they give up. All are checkpoints, "
            f"and `--metric` says by which to pick:\n\n    {command} --method {method} --metric {experiment.objective.name}"
        )
    elif method == "best_validation":
        text = (
            f"The {best} train {objectives[0]} is the one most fitted to the training period. Take the {best} on "
            f"validation data:\n\n    {command} --method {method}"
        )
    else:
        text = f"There is no validation data; the {best} train {objectives[0]}:\n\n    {command} --method {method}"
    return f"{text}\n\nThe file `trial-N.toml` among a trial's artifacts runs with `quantsim simulate --study trial-N.toml`."


def _facts(experiment: Experiment, data: str) -> Iterator[tuple[str, str]]:
    yield "rule", experiment.pool.strategy_name
    yield "tokens", ", ".join(experiment.tokens)
    for caution in experiment.cautions:
        yield "**caution**", caution
    for split, (start, end) in experiment.periods.splits().items():
        yield split, f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"
    yield "prices", data
    yield "weights move", f"every {experiment.update.chunk_minutes} min"
    yield "fees", fees_text(dict(experiment.fees) | dict.fromkeys(experiment.series.costs, "a series"))
    for name in experiment.search_objectives:
        metric, sign = signed(name)
        stored = ", whose values here are negated" if sign > 0.0 and is_cost(metric) else ""
        yield ("minimised" if (sign < 0.0) != is_cost(metric) else "maximised"), f"train {metric}{stored}"
    if penalty := experiment.search.overfitting_penalty:
        yield "penalty", f"{penalty:g} times the excess of train over validation"
    for name, minimum in experiment.objective.constraints:
        bound = "at most" if is_cost(name) else "at least"
        yield "constraint", f"train {name} {bound} {shown_value(name, minimum):g}"


def _ranges(experiment: Experiment, space: SearchSpace) -> Iterator[tuple[str, ...]]:
    units = {parameter.human_name: parameter.spec.unit or "1" for parameter in experiment.layout}
    for dimension in space.dimensions:
        for draw in dimension.draws:
            yield (f"`{draw.name}`", *_drawn(draw), units[dimension.name])
    for name, value in space.fixed.items():
        yield f"`{name}`", "", "", f"fixed at {value}", units[name]


def _drawn(draw: Draw) -> tuple[str, str, str]:
    if draw.choices:
        return "", "", "one of " + ", ".join(f"{choice:g}" for choice in draw.choices)
    how = "log" if draw.log else "even" if draw.step is None else f"in steps of {draw.step:g}"
    return f"{draw.low:g}", f"{draw.high:g}", how


def _table(heading: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    for row in (heading, (":---",) * len(heading), *rows):
        yield "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |"
