"""docs/objectives.md has every key with its default, and its studies and example are valid."""

from __future__ import annotations

import doctest
import re
import tomllib
from pathlib import Path

from quantsim import Experiment
from quantsim.objective.settings import Objective

PAGE = Path(__file__).resolve().parents[2] / "docs" / "objectives.md"
TEXT = PAGE.read_text(encoding="utf-8")
STUDIES = PAGE.with_name("studies.md").read_text(encoding="utf-8")


def test_the_page_has_every_key_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", TEXT.split("## What is stored")[0], re.MULTILINE))
    assert rows.keys() == Objective.model_fields.keys()
    assert rows.pop("report") == "nine metrics"
    assert len(Objective().report) == 9
    defaults = Objective().model_dump(mode="json")
    for key, shown in rows.items():
        assert tomllib.loads(f"value = {shown.strip('`')}")["value"] == defaults[key], key


def test_the_page_of_studies_names_every_key() -> None:
    table = STUDIES.split("\n[objective]")[1].split("\n[sgd]")[0]
    assert set(re.findall(r"^(?:# )?(\w+) =", table, re.MULTILINE)) == Objective.model_fields.keys()
    stated = "\n".join(line.removeprefix("# ") for line in table.splitlines() if "…" not in line)
    objective = tomllib.loads(stated)
    objective.pop("periods")  # instead of those it counts
    Objective(**objective)


def test_the_studies_are_valid_and_each_has_more_than_one_metric_to_maximise() -> None:
    blocks = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    assert len(blocks) == 3
    base = {
        "data": {"tokens": ["BTC", "ETH"]},
        "periods": {"train_start": "2018-01-01", "train_end": "2019-01-01"},
        "pool": {"rule": "momentum"},
    }
    assert not any(Experiment.from_dict({**base, **tomllib.loads(block)}).objective.is_plain for block in blocks)


def test_the_example_runs() -> None:
    failed, tried = doctest.testfile(str(PAGE), module_relative=False)
    assert (failed, tried) == (0, 9)
