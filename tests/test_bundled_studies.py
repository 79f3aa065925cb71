"""The bundled studies: each asks a question, names its driver, and evaluates; the page of findings has all of them."""

from __future__ import annotations

import importlib.util
import re
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from quantsim import Evaluator, Experiment, Prices, load_prices
from quantsim.config.driver_choice import driver_of
from quantsim.search_space import load_search_space

ROOT = Path(__file__).resolve().parents[1]
NAMES = sorted(path.stem for path in (ROOT / "studies").glob("*.toml"))

# Splits of equal length share a program.
SHORT = (
    *("periods.train_start=2018-06-01", "periods.train_end=2018-06-05"),
    *("periods.validation_end=2018-06-09", "periods.test_end=2018-06-13"),
    *("update.max_memory_days=10", "objective.bout_offset_days=0"),
)
TOKENS = ("BTC", "ETH", "LTC", "XRP")


@pytest.fixture(scope="module")
def prices() -> Prices:
    return load_prices(TOKENS, bar_minutes=60)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bundled_studies", ROOT / "scripts" / "bundled_studies.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # dataclasses look it up
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", NAMES)
def test_a_study_asks_a_question_and_evaluates(name: str, prices: Prices, script: ModuleType):
    study = Experiment.load(name)
    assert script.question_of(name).endswith("?")
    driver, _ = driver_of(name)
    moved = study.trainable if driver == "sgd" else load_search_space(study).dimensions
    assert moved
    short = study.override([*SHORT, "data.bar_minutes=60"])
    initial = {key: values[None] for key, values in short.initial_parameters().items()}
    found = Evaluator(short, short.prices(prices)).evaluate_sets(initial)
    assert list(found.metrics) == ["train", "validation", "test"]
    assert all(np.isfinite(table["returns"]).all() for table in found.metrics.values())


def test_the_rules_of_the_package_are_studied():
    """Without HODL, a baseline of every study, and the rules that need a series."""
    text = "".join((ROOT / "studies" / f"{name}.toml").read_text(encoding="utf-8") for name in NAMES)
    rules = {path.stem for path in (ROOT / "quantsim" / "rules").glob("*.py")} - {
        "__init__",
        "base",
        "capping",
        "registry",
    }
    missing = {rule for rule in rules - {"ensemble"} if f'"{rule}"' not in text}
    assert missing == {"hodl", "index_market_cap", "index_supply", "given_weights"}
    assert "[pool.ensemble]" in text


def test_the_page_of_findings_has_every_study(script: ModuleType):
    page = script.PAGE.read_text(encoding="utf-8")
    assert re.findall(r"^## `(\w+)`$", page, re.MULTILINE) == NAMES
    rows = re.findall(r"^\| \[`(\w+)`\]\(#\1\) \| (.+) \|$", page, re.MULTILINE)
    assert [name for name, _ in rows] == NAMES
    for name, cells in rows:
        section = page.split(f"## `{name}`\n")[1].split("\n## ")[0]
        assert f"**{script.question_of(name)}**" in section
        assert f" {name}" in section.split("```sh\n")[1]
        assert cells.split(" | ")[-1] in script.VERDICTS.values()


def test_the_page_is_written_from_findings(script: ModuleType):
    days = 0.01 * np.random.default_rng(1).standard_normal(60)
    reference = script.Finding(
        name="momentum_fees",
        question="Why?",
        command="quantsim run momentum_fees",
        test=0.1,
        hodl=-0.05,
        ahead=(0.02, -0.01, 0.05),
        days=60,
        verdict="noise",
        text="Not distinguishable from noise.",
        parameters={"memory_days": "(20, 30)"},
        returns=days.tolist(),
    )
    better = replace(reference, name="searched_fee", verdict="skill", returns=(days + 0.001).tolist())
    text = script.page([reference, better])
    assert (
        "| [`momentum_fees`](#momentum_fees) | +10.0 % | -5.0 % | +2.0 % (-1.0 % to +5.0 %) | not distinguishable from noise |"
        in text
    )
    assert "Of 2 studies: 1 not distinguishable from noise (`momentum_fees`); 1 significant (`searched_fee`)." in text
    assert "Selected: `memory_days` (20, 30)." in text
    assert (
        "it ends 6.2 % ahead of [`momentum_fees`](#momentum_fees) (90 % interval +6.2 % to +6.2 %, which does not"
        in text
    )
    assert text.count("On test data it ends") == 1
    assert set(script.REFERENCES) | set(script.REFERENCES.values()) <= set(NAMES)
