"""What was run: parameters, periods, prices, versions, seeds, and the study as a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from quantsim import __version__
from quantsim.checkpoints.redact import redact
from quantsim.config.toml_text import toml_text
from quantsim.report.html.blocks import Cell, Code, Download, Section, Table, Text
from quantsim.report.tables import parameters_table

if TYPE_CHECKING:
    from quantsim.report.html.content import Content

__all__ = ["study"]


def study(content: Content) -> Section:
    """Returns the section."""
    experiment = content.experiment
    human = {name: tuple(row.tolist()) for name, row in experiment.human_parameters(content.simulation.params).items()}
    parameters = Table.of(parameters_table(experiment.active_parameters, human, experiment.tokens).wide())
    rows = tuple((Cell(name), Cell(text)) for name, text in _facts(content))
    text = redact(toml_text(experiment.model_dump(mode="json", exclude_defaults=True)))
    blocks = (
        *((Text(experiment.description),) if experiment.description else ()),
        parameters,
        Table(("", ""), rows, title="Run", numeric=False, prose=True),
        *(Text(f"Note: {note}.", "muted") for note in content.notes),
        Download("study.toml", "Study (TOML)", text, "application/toml"),
        Code(text, "Show it"),
    )
    return Section("study", "Study and data", blocks)


def _labels(content: Content) -> Iterator[tuple[str, str]]:
    """Yields what users wrote on the run."""
    yield "name", content.entry.title
    yield "tags", ", ".join(content.entry.tags)
    yield "note", content.entry.note


def _facts(content: Content) -> Iterator[tuple[str, str]]:
    experiment, run = content.experiment, content.run
    yield "checkpoint", f"{content.checkpoint.key}, {content.reason}"
    yield "pool", f"{experiment.pool.label} on {', '.join(experiment.tokens)}"
    for split, (start, end) in experiment.periods.splits().items():
        yield split, f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"
    yield "prices", content.prices
    yield "data", run.data_id
    yield "study", experiment.identity
    seed = "" if run.seed is None else f", seed {run.seed}"
    yield "run", f"{run.run_id} ({run.driver}{seed}), {run.name}".removesuffix(", ")
    yield from ((name, text) for name, text in _labels(content) if text)
    ended = "" if run.finished_at is None else f" to {run.finished_at:%Y-%m-%d %H:%M}"
    yield "time", f"{run.started_at:%Y-%m-%d %H:%M}{ended} UTC, {run.status}"
    yield "version", f"the run {run.version}, this report {__version__}"
