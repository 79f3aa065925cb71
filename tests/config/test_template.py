"""The study file that explains itself: complete, and equal to the defaults of the models."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

import quantsim
from quantsim.config import Experiment
from quantsim.config.identity import part_of
from quantsim.config.template import study_template, write_study_template
from quantsim.errors import ConfigError, QuantsimError
from quantsim.settings.docstrings import docstrings

DEFAULT = re.compile(r"^# (\w+ = [^ #].*)$", re.MULTILINE)


def test_the_file_is_the_study_of_its_options(tmp_path: Path):
    file = tmp_path / "mine.toml"
    study = write_study_template(file, tokens=["ETH", "BTC"], rule="power_channel", fees=0.003, bar_minutes=1440)
    given = {
        "name": "mine",
        "data": {"tokens": ["ETH", "BTC"], "bar_minutes": 1440},
        "periods": study.periods.model_dump(),
        "pool": {"rule": "power_channel"},
        "update": {"max_memory_days": 182.0},
        "fees": {"swap_fee": 0.003},
    }
    assert study == Experiment.load(file) == Experiment.from_dict(given)
    dates = [f"{moment:%Y-%m-%d}" for pair in study.periods.splits().values() for moment in pair]
    assert dates == ["2018-04-02", "2019-02-24", "2019-02-24", "2019-06-13", "2019-06-13", "2019-10-01"]


@pytest.mark.parametrize("rule", ["momentum", "power_channel", "balancer", "min_variance"])
def test_the_defaults_it_shows_are_those_that_count(tmp_path: Path, rule: str):
    file = tmp_path / "study.toml"
    plain = write_study_template(file, rule=rule)
    text = file.read_text()
    assert "# n_periods = 1 " in text
    file.write_text(DEFAULT.sub(r"\1", text))
    whole = Experiment.load(file)
    assert plain.parameters == ()
    assert whole.model_copy(update={"parameters": ()}) == plain
    values, expected = (study.initial_parameters() for study in (whole, plain))
    assert {name: value.tolist() for name, value in values.items()} == {
        name: pytest.approx(value.tolist(), rel=1e-5, abs=1e-9) for name, value in expected.items()
    }
    assert all(one.human_name in text for one in plain.active_parameters)


def test_every_key_is_there_with_its_meaning():
    text = study_template()
    study = Experiment.load("momentum_fees")
    tables = dict.fromkeys(re.findall(r"^(?:# )?\[(\w+)\]$", text, re.MULTILINE))
    assert set(tables) == {key for key, value in study if part_of(Experiment, key)} - {"subsidiaries"} | {"parameters"}
    blocks = dict(zip(tables, re.split(r"^(?:# )?\[\w+\]$", text, flags=re.MULTILINE)[1:], strict=True))
    for table in tables.keys() - {"parameters"}:
        model, flat = type(getattr(study, table)), " ".join(blocks[table].replace("\n# ", " ").split())
        for key in (key for key in model.model_fields if part_of(model, key) is None):
            assert re.search(rf"^(# )?{key} =", blocks[table], re.MULTILINE), f"{table}.{key}"
            assert " ".join(docstrings(model)[key].replace("``", "`").split()) in flat
    assert '("mean", "sum", "min", "softmin", "quantile")' in text
    tomllib.loads(text)


def test_it_runs_on_prices_of_a_folder_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    days = np.arange("2020-01-01", "2021-01-01", dtype="datetime64[D]")
    (tmp_path / "prices").mkdir()
    for token, drift in (("A", 1e-3), ("B", -1e-3)):
        rows = "\n".join(f"{day},{100.0 * np.exp(drift * index)}" for index, day in enumerate(days))
        (tmp_path / "prices" / f"{token}.csv").write_text(f"time,close\n{rows}\n")
    (tmp_path / "studies").mkdir()
    monkeypatch.chdir(tmp_path)
    study = write_study_template("studies/a.toml", tokens=["A", "B"], prices="prices", fees=0.001)
    assert 'source = "../prices"' in Path("studies/a.toml").read_text()
    assert study.update.max_memory_days == 91.0
    result = quantsim.simulate(study.override(["update.max_memory_days=60.0"]), split="test")
    assert np.isfinite(result.metrics["returns"])


def test_what_cannot_be_written_is_refused(tmp_path: Path):
    file = tmp_path / "study.toml"
    write_study_template(file)
    before = file.read_text()
    for path, options, said in (
        (file, {}, "exists already"),
        (tmp_path / "study.txt", {}, "ends in .toml"),
        (tmp_path / "none" / "study.toml", {}, "cannot write"),
        (tmp_path / "a.toml", {"tokens": ["BTC", "ETC"]}, "no prices of 'ETC'"),
        (tmp_path / "a.toml", {"tokens": ["BTC"]}, "data.tokens"),
        (tmp_path / "a.toml", {"rule": "momentums"}, "did you mean 'momentum'"),
        (tmp_path / "a.toml", {"fees": 2.0}, "fees.swap_fee"),
        (tmp_path / "a.toml", {"prices": "nowhere"}, "nowhere"),
    ):
        with pytest.raises(QuantsimError, match=said):
            write_study_template(path, **options)
    assert [one.name for one in tmp_path.iterdir()] == ["study.toml"]
    assert file.read_text() == before
    assert write_study_template(file, force=True, fees=0.01).fees.swap_fee == 0.01
    with pytest.raises(ConfigError):
        write_study_template(file)
