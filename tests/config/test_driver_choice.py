"""Which driver a study is for: the one that it names, or the only one that it has a table of."""

from __future__ import annotations

from pathlib import Path

import pytest

from quantsim.config.driver_choice import driver_of
from quantsim.errors import ConfigError


def test_the_driver_of_a_study(tmp_path: Path) -> None:
    text = Path(__file__).resolve().parents[2].joinpath("studies", "composite_zero_fee.toml").read_text()
    study = tmp_path / "mine.toml"
    study.write_text(text)
    assert driver_of(str(study), ()) == ("sgd", "the only driver with a table in the study, [sgd]")
    assert driver_of(str(study), ["driver=hybrid"]) == ("hybrid", "named in the study")
    study.write_text('driver = "search"\n' + text)
    assert driver_of(str(study), ()) == ("search", "named in the study")
    study.write_text(text + "\n[search]\ntrials = 3\n")
    with pytest.raises(ConfigError, match=r"names no driver and has tables of sgd and search: add driver = 'sgd'"):
        driver_of(str(study), ())
    study.write_text(text[: text.index("[sgd]")])
    with pytest.raises(ConfigError, match=r"names no driver and has no table of any"):
        driver_of(str(study), ())
    study.write_text('driver = "annealing"\n' + text)
    with pytest.raises(ConfigError, match=r"driver: .*'sgd'.*'search'.*'hybrid'"):
        driver_of(str(study), ())
