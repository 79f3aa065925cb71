"""The document explains every figure, verdict and warning."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import get_args

from validation_support import METRIC, trials_of

from quantsim.checkpoints.checkpoint import Checkpoint, Run, utc_now
from quantsim.validation import Validation
from quantsim.validation.cautions import warnings_of
from quantsim.validation.evidence import weigh
from quantsim.validation.judgement import Verdict, judge
from quantsim.validation.origin import Origin

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "validation.md").read_text()
IN_PROSE = {
    "study",
    "runs",
    "selected",
    "method",
    "metric",
    "trials",
    "pbo_note",
    "distinguishable",
    "searched",
    "days",
    "warnings",
}


def test_every_figure_of_the_json_is_explained():
    trials = trials_of(0, n_trials=6)
    evidence = weigh(trials, ("train", "validation"), METRIC, n_resamples=50)
    row = Checkpoint("a" * 32, 0, 0, "search", {})
    found = Validation(
        "s", (), row, "m", "x", Origin("start", "a start"), trials, evidence, (), judge(evidence)
    ).to_json()
    missing = {key for key in found.keys() - IN_PROSE if f"`{key}`" not in DOCUMENT}
    assert not missing


def test_every_verdict_is_explained():
    assert not [verdict for verdict in get_args(Verdict) if f"| `{verdict}` |" not in DOCUMENT]


def test_every_warning_is_explained():
    evidence = replace(
        weigh(trials_of(0, n_trials=6), ("train", "validation"), METRIC, n_resamples=50), distinguishable=0.1
    )
    run = Run(
        run_id="a" * 32,
        experiment_id="e",
        data_id="d",
        name="s",
        driver="search",
        config={"search": {"overfitting_penalty": 1.0}},
        seed=0,
        status="finished",
        started_at=utc_now(),
        updated_at=utc_now(),
    )
    found = warnings_of([run], ("validation", "test"), ("train", "validation"), evidence, ("swap_fee",), [run, run])
    rows = re.findall(r"^\| ([^|]+) \|", DOCUMENT.partition("## Warnings")[2], re.MULTILINE)[1:]
    assert len(found) == len(rows) == 6
    for text, row in zip(found, rows, strict=True):
        assert text.startswith(row)
