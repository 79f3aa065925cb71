"""Tables and the picture of a walk-forward, of returns that are made up."""

from __future__ import annotations

import dataclasses
import io
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from rich.table import Table

from quantsim.folds import Span, walk_forward
from quantsim.out_of_sample import PathsOutcome, Resampling, WalkForwardOutcome, compare_outcomes
from quantsim.out_of_sample.curves import curve_of, difference, joined
from quantsim.out_of_sample.outcome import FoldOutcome
from quantsim.out_of_sample.stability import Stability
from quantsim.report.plots import save_figure
from quantsim.report.walk_forward import comparison_table, curves_table, folds_table, paths_table, stability_table
from quantsim.report.walk_forward_plot import walk_forward_figure

FEW = Resampling(n_resamples=100)
START, DAYS = datetime(2021, 1, 1, tzinfo=UTC), 120
FOLDS = walk_forward(START, START + timedelta(days=220), train_days=80, validation_days=20, test_days=40)
TIMES = np.datetime64(FOLDS[0].test.start.replace(tzinfo=None), "s") + np.arange(DAYS).astype("timedelta64[D]")
RETURNS = 0.03 * np.random.default_rng(5).standard_normal((3, DAYS - 1)) + [[0.001], [0.0], [-0.001]]
BASELINES = {
    name: curve_of(name, TIMES, returns, FEW)
    for name, returns in zip(("study", "constant_weights", "hodl"), RETURNS, strict=True)
}


def outcome_of(shift: float = 0.0, trainer: str = "search") -> WalkForwardOutcome:
    carried = curve_of("carried", TIMES, RETURNS[1] + shift + 0.002 * np.sin(np.arange(DAYS - 1)), FEW)
    rows = [
        FoldOutcome(fold, "a" * 32, "aaaaaaaa:3:0", in_sample, 1.1, 0.456, 0.4, 0.5, -0.25)
        for fold, in_sample in zip(FOLDS, (1.5, -0.2, 0.912), strict=True)
    ]
    return WalkForwardOutcome(
        study="made up",
        trainer=trainer,
        folds=tuple(rows),
        carried=carried,
        restarted=joined(
            "restarted", TIMES, [(0, RETURNS[1, :39]), (40, RETURNS[1, 40:79]), (80, RETURNS[1, 80:])], FEW
        ),
        note="",
        baselines=BASELINES,
        differences={name: difference(carried, curve, FEW) for name, curve in BASELINES.items()},
        parameters=(Stability("memory_days[BTC]", "days", (5.0, 10.0, 40.0), 7.5, 10.0, 25.0),),
        resampling=FEW,
    )


def text_of(table: Table) -> str:
    console = Console(width=200, file=io.StringIO())
    console.print(table)
    return console.file.getvalue()


def line_with(text: str, start: str) -> list[str]:
    """The words of the row that starts so."""
    return next(line.split() for line in text.splitlines() if line.strip().startswith(start))


def test_curves_show_intervals_and_what_the_pool_has_more() -> None:
    text = text_of(curves_table(outcome_of()))
    assert "Out of sample, with 90 % intervals" in text
    names = ["pool carried forward", "new pool per fold", "study's own parameters", "constant weights", "HODL"]
    assert [name for name in names if name in text] == names
    own = outcome_of().differences["constant_weights"]
    assert f"{100 * math.expm1(own.excess.point):+.0f}" in " ".join(line_with(text, "constant weights"))
    assert text.count("[") == 5 * 2 + 3 * 2


def test_folds_show_digits_that_their_days_allow_and_no_efficiency_without_a_ratio() -> None:
    text = text_of(folds_table(outcome_of()))
    rows = [line_with(text, str(index)) for index in range(3)]
    assert rows[0] == ["0", "80", "2021-04-11", "40", "2", "1", "0", "0", "0", "0", "0"]
    assert rows[1][7] == "–"
    assert text_of(folds_table(outcome_of())).count("–") == 2
    assert "–: undefined, because the in-sample ratio is not positive" in text


def test_folds_without_validation_have_no_column_of_it() -> None:
    outcome = outcome_of()
    rows = tuple(dataclasses.replace(row, validation=math.nan) for row in outcome.folds)
    assert "vali-" not in text_of(folds_table(dataclasses.replace(outcome, folds=rows)))


def test_stability_shows_quartiles_and_their_relative_distance() -> None:
    cells = line_with(text_of(stability_table(outcome_of().parameters)), "memory")
    assert cells == ["memory_days[BTC]", "7.5", "10", "25", "175", "%", "days"]


def test_a_comparison_has_a_row_for_each_trainer() -> None:
    comparison = compare_outcomes({"search": outcome_of(), "sgd": outcome_of(0.004, "sgd")})
    text = text_of(comparison_table(comparison))
    assert "over search," in text
    assert f"{100 * math.expm1(365 * 0.004):+.0f}" in " ".join(line_with(text, "sgd"))
    assert comparison.judgement.startswith("sgd is ahead of search")
    assert (
        "No trainer differs significantly" in compare_outcomes({"search": outcome_of(), "sgd": outcome_of()}).judgement
    )


def test_paths_show_quantiles() -> None:
    ratios = np.linspace(-1.0, 3.0, 5)
    returns = np.tile(RETURNS[1], (5, 1))
    outcome = PathsOutcome(
        study="made up",
        trainer="random",
        groups=(Span(START, START + timedelta(days=60)), Span(START + timedelta(days=60), START + timedelta(days=120))),
        paths=tuple((index, index) for index in range(5)),
        n_splits=5,
        times=TIMES,
        daily_log_returns=returns,
        sharpes=ratios,
        growths=ratios,
        information_ratios=ratios - 1.0,
        in_sample=np.full(5, 2.0),
        baselines=BASELINES,
        parameters=(),
    )
    text = text_of(paths_table(outcome))
    assert "5 paths through 2 groups" in text
    assert line_with(text, "Sharpe")[2:7] == ["-1", "0", "1", "2", "3"]  # of 120 days, which have an error of 1.7
    assert outcome.efficiency == 0.5
    assert "is +0.00 over 5 paths" in outcome.judgement


def test_the_picture_shows_curves_and_parameters(tmp_path: Path) -> None:
    outcome = outcome_of()
    figure = walk_forward_figure(outcome)
    above, below = figure.axes
    assert len(above.lines) == 5 + 1 + len(FOLDS)  # the line at 1
    assert below.lines[0].get_label() == "memory_days[BTC]"
    assert below.lines[0].get_ydata()[:3].tolist() == [0.5, 1.0, 4.0]
    assert outcome.judgement.split(":")[0] in above.texts[0].get_text().replace("\n", " ")
    save_figure(figure, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 10_000


@pytest.mark.parametrize("parameters", [(), (Stability("x", "", (0.0, 0.0, 0.0), 0.0, 0.0, 0.0),)])
def test_the_picture_of_a_study_without_parameters_or_carried_pool(parameters: tuple[Stability, ...]) -> None:
    figure = walk_forward_figure(dataclasses.replace(outcome_of(), parameters=parameters, carried=None))
    assert len(figure.axes) == 1 + bool(parameters)
