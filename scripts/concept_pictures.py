"""Draws the pictures of docs/concepts.md and docs/tutorial.md from simulations on bundled and synthetic prices.

    python scripts/concept_pictures.py [NAME ...]

They are written to docs/images, as SVG, and are the same each time.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import quantsim

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DOCS = Path(__file__).resolve().parents[1] / "docs"

METRIC = "daily_log_sharpe"

STUDY: dict[str, Any] = {
    "name": "concepts",
    "data": {"tokens": ["BTC", "ETH"], "bar_minutes": 60},
    "periods": {
        "train_start": "2018-04-01",
        "train_end": "2019-01-01",
        "validation_end": "2019-04-01",
        "test_end": "2019-10-01",
    },
    "pool": {"rule": "momentum"},
    "update": {"chunk_minutes": 1440, "max_memory_days": 120.0},
    "parameters": {"memory_days": 20.0, "k_per_day": 10.0},
}


def main(names: list[str]) -> None:
    import matplotlib
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    from quantsim.report.canvas import STYLE

    quantsim.enable_float64()
    small = {"font.size": 11.0, "svg.hashsalt": "quantsim"}
    for name in names or list(PICTURES):
        with matplotlib.rc_context({**STYLE, **small}):
            figure = PICTURES[name]()
            for axes in figure.axes:
                if isinstance(axes.xaxis.get_major_locator(), AutoDateLocator):
                    axes.xaxis.set_major_formatter(
                        ConciseDateFormatter(axes.xaxis.get_major_locator(), show_offset=False)
                    )
            figure.savefig(DOCS / "images" / f"{name}.svg", metadata={"Date": None})


def tutorial_pool() -> Figure:
    """The pool of the tutorial, from the study on its page."""
    page = (DOCS / "tutorial.md").read_text(encoding="utf-8")
    found = re.search(r'```toml title="first.toml"\n(.*?)```', page, re.DOTALL)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "first.toml"
        file.write_text(found[1] if found else "", encoding="utf-8")
        study = quantsim.Experiment.load(file)
    frame = quantsim.simulate(study, split="all").to_frame("day")
    figure, (values, weights) = _axes(2, height=5.2, ratios=(2, 1), sharex=True)
    values.plot(frame.index, frame["value"] / 1e6, color=BLUE, label="pool")
    values.plot(frame.index, frame["hodl_value"] / 1e6, color=ORANGE, label="HODL")
    values.set(ylabel="value, million USD", yscale="log")
    values.yaxis.set_major_formatter("{x:g}")
    values.yaxis.set_minor_formatter("{x:g}")
    values.legend(loc="lower left")
    for name, (start, end) in study.periods.splits().items():
        values.axvspan(start, end, color=SHADES[name], lw=0)
        middle = start + (end - start) / 2
        values.text(middle, 0.97, name, transform=values.get_xaxis_transform(), ha="center", va="top", color=MUTED)
    shares = [100 * frame[f"weight_{token}"] for token in study.tokens]
    weights.stackplot(frame.index, *shares, labels=study.tokens, colors=TOKENS[:3], lw=0)
    weights.set(ylabel="weights, %", ylim=(0, 100), xlim=(frame.index[0], frame.index[-1]))
    weights.legend(loc="upper left", ncols=3, bbox_to_anchor=(0.0, -0.12))
    return figure


def concept_memory() -> Figure:
    """The weight of BTC for three memories."""
    study = _study()
    prices = study.load_prices()
    figure, (ratio, weights) = _axes(2, height=4.6, ratios=(1, 2), sharex=True)
    for memory, colour in zip((5.0, 20.0, 80.0), (TOKENS[1], TOKENS[0], ORANGE), strict=True):
        frame = quantsim.simulate(study, {"memory_days": memory, "k_per_day": 1.0}, prices, split="all").to_frame("day")
        weights.plot(frame.index, 100 * frame["weight_BTC"], color=colour, label=f"memory {memory:g} days")
    btc, eth = (prices.prices[:, prices.tokens.index(token)] for token in ("BTC", "ETH"))
    ratio.plot(prices.times[::24], (btc / eth)[::24], color=INK)
    ratio.set(ylabel="price of BTC,\nin ETH")
    weights.set(ylabel="weight of BTC, %", ylim=(0, 100), xlim=(frame.index[0], frame.index[-1]))
    weights.legend(loc="upper left", ncols=3, bbox_to_anchor=(0.0, -0.08))
    return figure


def concept_ramp() -> Figure:
    """Decisions at chunk boundaries, and the ramps between them."""
    update = {"chunk_minutes": 1440, "interpolation_minutes": 720, "max_memory_days": 120.0}
    study = _study(parameters={"memory_days": 5.0, "k_per_day": 1.0}, update=update)
    frame = quantsim.simulate(study, split="train").frame.iloc[178 * 24 : 188 * 24 + 1]
    figure, (weights,) = _axes(1, height=3.0)
    weights.plot(frame.index, 100 * frame["weight_BTC"], color=BLUE, label="weight at every bar")
    days = frame[frame.index.hour == 0]
    days = days[days.index < frame.index[-1]]
    weights.plot(days.index, 100 * days["weight_BTC"], "o", color=ORANGE, label="decision, from prices up to here")
    weights.set(ylabel="weight of BTC, %", xlim=(frame.index[0], frame.index[-1]))
    weights.legend(loc="upper left", ncols=2, bbox_to_anchor=(0.0, -0.14))
    return figure


def concept_fees() -> Figure:
    """What a fee takes and gives: constant weights, by swap fee, without and with noise traders."""
    fees = np.array([0.0001, 0.0003, 0.001, 0.002, 0.004, 0.007, 0.01, 0.02, 0.03])
    figure, (parts, ahead) = _axes(1, height=3.8, columns=2)
    study = _study(pool={"rule": "balancer"})
    prices = study.load_prices()
    for noise, colour in ((0.0, BLUE), (1.0, ORANGE)):
        runs = [
            quantsim.simulate(
                study.replace(fees={"swap_fee": float(fee), "noise_trader_ratio": noise}), None, prices, split="train"
            )
            for fee in fees
        ]
        label = "arbitrageurs only" if not noise else "and as many noise traders"
        ahead.plot(
            100 * fees, [100 * run.metrics["returns_over_hodl"] for run in runs], "o-", color=colour, label=label
        )
        if not noise:
            start = float(runs[0].value[0])
            parts.plot(
                100 * fees, [100 * run.fee_revenue / start for run in runs], "o-", color=GREEN, label="fees earned"
            )
            lost = [-100 * float(run.frame["lvr"].sum()) / start for run in runs]
            parts.plot(100 * fees, lost, "o-", color=RED, label="lost to arbitrageurs")
    parts.set(xscale="log", xlabel="swap fee, %", ylabel="% of the initial value")
    ahead.set(xscale="log", xlabel="swap fee, %", ylabel="value over HODL, %")
    for axes in (parts, ahead):
        axes.xaxis.set_major_formatter("{x:g}")
        axes.legend(loc="upper left", bbox_to_anchor=(0.0, -0.2))
    return figure


def concept_periods() -> Figure:
    """The periods of a study, and the folds of a walk-forward and of cross-validation on the same data."""
    from quantsim.folds import combinatorial, walk_forward

    study = _study()
    splits = study.periods.splits()
    start, end = study.periods.train_start, study.periods.test_end
    figure, (axes,) = _axes(1, height=4.6)
    rows: list[tuple[str, list[tuple[str, Any, Any]]]] = [
        ("study", [(name, *span) for name, span in splits.items()]),
    ]
    for fold in walk_forward(start, end, n_folds=4, train_days=180, validation_days=60):
        spans = [("train", fold.train), ("validation", fold.validation), ("test", fold.test)]
        rows.append((f"walk-forward, fold {fold.position}", [(name, *span) for name, span in spans if span]))
    for split in combinatorial((end - start).days, 4, 1, embargo=20).splits:
        blocks = [("train", block) for block in split.train] + [("test", block) for block in split.test]
        spans = [(name, *(start + timedelta(days=day) for day in block)) for name, block in blocks]
        rows.append((f"cross-validation, split {split.position}", spans))
    for row, (_, spans) in enumerate(rows):
        for name, begin, stop in spans:
            axes.barh(row, stop - begin, left=begin, height=0.7, color=BARS[name])
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    from matplotlib.patches import Patch

    patches = [Patch(color=colour, label=name) for name, colour in BARS.items()]
    axes.legend(handles=patches, loc="upper left", ncols=3, bbox_to_anchor=(0.0, -0.08))
    return figure


def concept_luck() -> Figure:
    """The best of 60 parameter sets on validation data, and on test data, on 40 price paths without any pattern."""
    memories, steps = np.geomspace(2.0, 100.0, 10), np.geomspace(0.1, 2.0, 6)
    seen, unseen = [], []
    for seed in range(40):
        prices = {"source": f"synthetic:gbm?seed={seed}", "tokens": ["BTC", "ETH"], "bar_minutes": 60}
        evaluator = quantsim.Evaluator(_study(data=prices))
        sets = [
            evaluator.experiment.initial_parameters({"memory_days": memory, "k_per_day": k})
            for memory in memories
            for k in steps
        ]
        stacked = {name: np.stack([one[name] for one in sets]) for name in sets[0]}
        found = evaluator.evaluate_many(stacked, [METRIC], splits=["validation", "test"])
        constant = evaluator.baselines()["constant_weights"].metrics
        gains = {split: found[split][METRIC] - constant[split][METRIC] for split in found}
        best = int(np.argmax(gains["validation"]))
        seen.append(gains["validation"][best])
        unseen.append(gains["test"][best])
    figure, (axes,) = _axes(1, height=3.4)
    spread = np.random.default_rng(0).uniform(-0.25, 0.25, len(seen))
    for row, (values, colour) in enumerate(((seen, BARS["validation"]), (unseen, BARS["test"]))):
        axes.plot(values, row + spread, "o", color=colour, ms=5, alpha=0.7)
        axes.plot([np.median(values)] * 2, [row - 0.4, row + 0.4], color=INK, lw=2)
    axes.axvline(0.0, color=MUTED, lw=1)
    axes.set_yticks([0, 1], ["validation data,\nwhich chose it", "test data"])
    axes.invert_yaxis()
    axes.set(xlabel="Sharpe ratio of the best of 60 sets, minus that of constant weights; a dot per price path")
    return figure


def _study(**tables: Any) -> quantsim.Experiment:
    merged = {**STUDY, **tables}
    merged["parameters"] = {} if "pool" in tables else {**STUDY["parameters"], **tables.get("parameters", {})}
    return quantsim.Experiment.from_dict(merged)


BLUE, ORANGE, GREEN, RED, INK, MUTED = "#1b6ca8", "#d9822b", "#2a9d8f", "#b5485d", "#1f2933", "#616e7c"
TOKENS = ("#1b6ca8", "#7cb5d6", "#2a9d8f")
SHADES = {"train": "white", "validation": "#eef3fb", "test": "#fdf3e3"}
BARS = {"train": "#7cb5d6", "validation": "#1b6ca8", "test": "#d9822b"}


def _axes(
    rows: int, *, height: float, columns: int = 1, ratios: tuple[int, ...] | None = None, sharex: bool = False
) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(figsize=(9.0, height), facecolor="white", layout=ConstrainedLayoutEngine())
    grid = figure.subplots(rows, columns, squeeze=False, sharex=sharex, height_ratios=ratios)
    return figure, list(grid.ravel())


PICTURES: dict[str, Callable[[], Figure]] = {
    one.__name__: one
    for one in (tutorial_pool, concept_memory, concept_ramp, concept_fees, concept_periods, concept_luck)
}


if __name__ == "__main__":
    main(sys.argv[1:])
