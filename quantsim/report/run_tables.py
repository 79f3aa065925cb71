"""Tables of stored runs for the terminal, 80 columns wide. They import nothing that computes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from quantsim.baseline import TITLES
from quantsim.checkpoints.checkpoint import SPLITS, chronological
from quantsim.checkpoints.methods import BARE_OBJECTIVE
from quantsim.metrics import metric_names
from quantsim.objective import is_cost, shown_value, unit_of
from quantsim.report.formats import certain_text, cost_text, fees_text, metric_text, number_text, unit_text
from quantsim.report.layout import plain_table

if TYPE_CHECKING:
    from quantsim.checkpoints import Checkpoint
    from quantsim.checkpoints.runs.comparison import RunComparison
    from quantsim.checkpoints.runs.details import RunDetails
    from quantsim.checkpoints.runs.entries import RunEntry, RunList
    from quantsim.checkpoints.runs.watching import RunProgress

__all__ = [
    "comparison_of_runs",
    "duration_text",
    "facts_table",
    "folds_table",
    "left_text",
    "metrics_table",
    "moment_text",
    "parameters_of_set",
    "progress_text",
    "run_text",
    "runs_legend",
    "runs_table",
    "status_style",
    "study_text",
    "value_text",
]

_STYLES = {"running": "bold green", "failed": "red", "interrupted": "yellow"}


def runs_table(entries: RunList) -> Table:
    """Returns one row per run: its key, name and tags, driver, status, start, number of sets, and best validation value.

    The value is that of the study's objective. Folds have none, because their data differ.
    """
    table = plain_table(edge=False)  # which leaves two more characters to names
    table.add_column("run", no_wrap=True)
    table.add_column("name, tags", overflow="fold", min_width=10)
    table.add_column("driver", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("started (UTC)", no_wrap=True)
    table.add_column("sets", justify="right", no_wrap=True)
    table.add_column("best", justify="right", no_wrap=True)
    for entry in entries:
        table.add_row(
            entry.key,
            _name(entry),
            entry.driver + (f" ×{len(entry.folds)}" if entry.folds else ""),
            Text(entry.status, style=status_style(entry.status)),
            moment_text(entry.started_at),
            f"{entry.checkpoints:,}",
            _best(entry),
        )
    return table


def status_style(status: str) -> str:
    """Returns the style of a status in tables."""
    return _STYLES.get(status, "")


def moment_text(moment: datetime) -> str:
    """Returns a time of a run as tables show it: ``2024-01-31 12:30``."""
    return f"{moment:%Y-%m-%d %H:%M}"


def runs_legend(entries: RunList) -> str:
    """Returns a sentence on the columns of :func:`runs_table`."""
    metrics = sorted({entry.head.objective for entry in entries if entry.head.objective and not entry.folds})
    what = metrics[0] if len(metrics) == 1 else "objective"
    return f"best: highest validation {what} of all sets, so it looks too good."


def run_text(entry: RunEntry) -> Iterator[tuple[str, str]]:
    """Yields the lines of a run's description: a title, and a text."""
    run = entry.head.run
    yield "run", f"{entry.run_id}" + (f", {len(entry.members)} runs" if len(entry.members) > 1 else "")
    if entry.title:
        yield "study", entry.study
    yield "driver", entry.driver + (f", {len(entry.folds)} folds" if entry.folds else "")
    yield "status", entry.status + (f": {run.reason}" if run.reason and run.status == entry.status else "")
    took = entry.updated_at - entry.started_at
    yield "time", f"{moment_text(entry.started_at)} UTC, last written {duration_text(took.total_seconds())} later"
    yield "sets", f"{entry.checkpoints:,} stored"
    yield "version", run.version + ("" if run.seed is None else f", seed {run.seed}")
    yield "prices", f"{run.data_id[:12]}"
    if entry.tags:
        yield "tags", ", ".join(entry.tags)
    if entry.note:
        yield "note", entry.note


def study_text(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields the lines of a short description of a stored study: a title, and a text."""
    data, periods, pool, fees = (_mapping(config.get(name)) for name in ("data", "periods", "pool", "fees"))
    tokens = pool.get("tokens") or data.get("tokens") or ()
    what = pool.get("rule") or ", ".join(_mapping(pool.get("ensemble")).values()) or pool.get("type")
    yield "pool", " on ".join(filter(None, (str(what or ""), ", ".join(map(str, tokens)))))
    ends = ("train_start", "train_end", "validation_end", "test_end")
    yield "periods", " → ".join(str(periods[name])[:10] for name in ends if periods.get(name))
    yield "fees", fees_text(fees)
    if objective := _mapping(config.get("objective")).get("metric"):
        yield "objective", str(objective)


def facts_table(lines: Iterable[tuple[str, str]]) -> Table:
    """Returns lines of a title and a text as a table without a heading."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in lines:
        if text:
            table.add_row(name, Text(text))
    return table


def parameters_of_set(checkpoint: Checkpoint, tokens: Sequence[str]) -> Table:
    """Returns one row per parameter of a stored set, in human units; a column per token where there is one value for each."""
    table = plain_table()
    table.add_column("parameter", no_wrap=True)
    width = max(map(len, checkpoint.human.values()), default=1)
    labels = tokens if len(tokens) == width else [str(index) for index in range(width)]
    for label in labels if width > 1 else ("value",):
        table.add_column(label, justify="right")
    for name, values in checkpoint.human.items():
        table.add_row(name, *map(number_text, values))
    return table


def metrics_table(details: RunDetails, checkpoint: Checkpoint) -> Table:
    """Returns one row per metric and split of a stored set: its value, and those of the baselines."""
    table = plain_table()
    table.add_column("metric", no_wrap=True)
    table.add_column("split", no_wrap=True)
    table.add_column("selected", justify="right")
    for name in details.baselines:
        table.add_column(TITLES.get(name, name).removesuffix("'s own parameters"), justify="right")
    splits = chronological(checkpoint.metrics)
    for metric in _metrics((checkpoint.metrics,), details.entry.head.objective):
        for label, split in zip(_labels(metric, len(splits)), splits, strict=True):
            others = (one.metrics.get(split, {}).get(metric) for one in details.baselines.values())
            values = (checkpoint.value(split, metric), *others)
            table.add_row(label, split, *(value_text(metric, value) for value in values))
    return table


def comparison_of_runs(found: RunComparison) -> Iterator[Table | Text]:
    """Yields the parts of a comparison: cautions, study, parameters, metrics, daily returns."""
    sides = (found.first, found.second)
    labels = [side.entry.key for side in sides]
    if labels[0] == labels[1]:  # two sets of one run
        labels = [side.label for side in sides]
    yield facts_table(
        (label, f"{side.entry.name}, {side.entry.driver}: {side.label}, {side.method}")
        for label, side in zip(labels, sides, strict=True)
    )
    for caution in found.cautions:
        yield Text(f"Caution: {caution}.", style="bold yellow")
    if found.differences:
        yield _study_table(found, labels)
    else:
        yield Text("The studies are the same.")
    if found.parameters:
        yield _parameters_table(found, labels)
    yield _pairs_table(found, labels)
    yield _days_table(found, labels)


def _study_table(found: RunComparison, labels: Sequence[str]) -> Table:
    table = plain_table("Study: keys that differ")
    for name in ("key", *labels, "decides"):
        table.add_column(name, overflow="fold")
    for one in found.differences:
        table.add_row(one.key, _key_text(one.first), _key_text(one.second), one.decides)
    return table


def _key_text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(_key_text, value)) or "none"
    return "not set" if value is None else str(value).removesuffix("T00:00:00Z")


def _parameters_table(found: RunComparison, labels: Sequence[str]) -> Table:
    table = plain_table("Parameters")
    table.add_column("parameter", no_wrap=True)
    for label in labels:
        table.add_column(label, justify="right", overflow="fold")
    for name, sides in found.parameters.items():
        table.add_row(name, *("–" if side is None else ", ".join(map(number_text, side)) for side in sides))
    return table


def _pairs_table(found: RunComparison, labels: Sequence[str]) -> Table:
    """Returns one row per metric and split; the difference only where both have the same data."""
    table = plain_table("Metrics")
    table.add_column("metric", no_wrap=True)
    table.add_column("split", no_wrap=True)
    for name in (*labels, "difference"):
        table.add_column(name, justify="right")
    tables = {pair.split: pair.metrics for pair in found.splits}
    for metric in _metrics((tables,), found.first.entry.head.objective):
        splits = [pair for pair in found.splits if metric in pair.metrics]
        for label, pair in zip(_labels(metric, len(splits)), splits, strict=True):
            first, second = pair.metrics[metric]
            compares = pair.same_data and not (metric == BARE_OBJECTIVE and found.other_objective)
            gap = _gap_text(metric, first, second) if compares else "–"
            table.add_row(label, pair.split, value_text(metric, first), value_text(metric, second), gap)
    return table


def _gap_text(metric: str, first: float | None, second: float | None) -> str:
    if first is None or second is None:
        return "–"
    unit = _unit(metric)
    gap = 0.0 if first == second else first - second
    return metric_text(shown_value(metric.partition(",")[0], gap), unit, signed=True)


def _days_table(found: RunComparison, labels: Sequence[str]) -> Table:
    """Returns one row per split: the difference of the daily returns, with its interval."""
    table = plain_table(f"Daily log returns, a year: {labels[0]} minus {labels[1]}")
    for name in ("split", "days"):
        table.add_column(name, no_wrap=True)
    table.add_column("difference", justify="right", no_wrap=True)
    table.add_column("90 % interval", justify="right", no_wrap=True)
    table.add_column("")
    for pair in found.splits:
        found_one = pair.difference
        if found_one is None:
            table.add_row(pair.split, "–", "–", "–", pair.reason)
            continue
        error = found_one.standard_error
        point, *ends = (
            certain_text(value, error, "", signed=True) for value in (found_one.point, found_one.lower, found_one.upper)
        )
        interval = "–" if pair.reason else f"[{ends[0]}, {ends[1]}]"
        told = pair.reason or ("includes 0" if found_one.contains_zero else "")
        table.add_row(pair.split, str(pair.n_days), point, interval, told)
    return table


def progress_text(now: RunProgress) -> str:
    """Returns the progress of a run on one line."""
    total = "" if now.total is None else f" of {now.total:,}"
    text = f"{now.entry.key} {now.unit} {now.done:,}{total}: {now.text()}{left_text(now)}"
    return f"{text}; {now.entry.status}" if now.is_over else text


def left_text(now: RunProgress) -> str:
    """Returns the estimated time to the end, after a comma; empty if it is not known."""
    return f", {duration_text(now.seconds_left)} left" if math.isfinite(now.seconds_left) else ""


def value_text(metric: str, value: float | None) -> str:
    """Formats a stored value of a metric, which may be one of another program; costs are shown without their minus."""
    text = cost_text if is_cost(metric.partition(",")[0]) else metric_text
    return text(value, _unit(metric))


def _unit(metric: str) -> str:
    """Returns the unit of a metric, or of a metric of a fold; empty for one of another program."""
    name = metric.partition(",")[0]
    return unit_of(name) if name == BARE_OBJECTIVE or name.partition(".")[0] in metric_names() else ""


def _labels(metric: str, n_rows: int) -> list[str]:
    """Returns the texts beside the rows of a metric: its name, its unit, and nothing."""
    unit = "" if ", fold" in metric else unit_text(_unit(metric))
    if n_rows == 1:
        return [f"{metric}, {unit}" if unit else metric]
    return [metric, f"  {unit}", *[""] * n_rows][:n_rows]


def folds_table(details: RunDetails) -> Table:
    """Returns one row per fold: its key, status, number of sets, selected set, and its objective on each split."""
    metric = details.entry.head.objective
    table = plain_table(f"Folds: {metric}" if metric else "Folds")
    for name in ("fold", "run", "status", "selected"):
        table.add_column(name, no_wrap=True)
    for name in SPLITS:
        table.add_column(name, justify="right")
    for result in details.results:
        found, summary = result.checkpoint, result.summary
        values = ["–" if found is None or metric is None else _of_split(found, split, metric) for split in SPLITS]
        selected = "–" if found is None else found.key
        status = Text(summary.status, style=status_style(summary.status))
        table.add_row(str(summary.position), summary.run.key, status, selected, *values)
    return table


def _of_split(found: Checkpoint, split: str, metric: str) -> str:
    return value_text(metric, found.value(split, metric))


def _metrics(sides: Iterable[Mapping[str, Mapping[str, Any]]], objective: str | None) -> list[str]:
    """Returns the names of the stored metrics, the objective first, without those of single periods."""
    names = dict.fromkeys(name for side in sides for table in side.values() for name in table)
    whole = [name for name in names if "." not in name]
    return sorted(whole, key=lambda name: name != objective)


def duration_text(seconds: float) -> str:
    """Formats a duration: ``35 s``, ``12 min``, ``3.5 h``, ``2 d``."""
    for unit, length, decimals in (("d", 86_400, 0), ("h", 3600, 1), ("min", 60, 0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.{decimals}f} {unit}"
    return f"{seconds:.0f} s"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _name(entry: RunEntry) -> Text:
    tags = " ".join(f"#{tag}" for tag in entry.tags)
    return Text.assemble(entry.name, (f" {tags}" if tags else "", "cyan"))


def _best(entry: RunEntry) -> str:
    value = None if entry.folds else entry.head.best.get("validation")
    return "–" if value is None else value_text(str(entry.head.objective), value)
