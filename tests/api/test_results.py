"""What results show: frames, reprs, comparisons and figures; prices in data frames; and bars of progress."""

from __future__ import annotations

import sys
import types
from typing import Any

import numpy as np
import pandas as pd
import pytest

import quantsim
from quantsim.api.progress import showing
from quantsim.errors import ConfigError, PriceError
from quantsim.prices import from_ohlcv


@pytest.fixture(scope="module")
def study() -> quantsim.Experiment:
    return quantsim.Experiment.from_dict(
        {
            "name": "two tokens",
            "data": {"tokens": ["ETH", "BTC"], "bar_minutes": 720, "forward_fill_bars": 8},
            "periods": {"train_start": "2018-04-01", "train_end": "2018-05-01"},
            "pool": {"rule": "momentum"},
            "fees": {"swap_fee": 0.003, "gas_cost_usd": 2.0},
            "update": {"max_memory_days": 30.0},
            "parameters": {"memory_days": 10.0, "k_per_day": 1.0},
        }
    )


@pytest.fixture(scope="module")
def result(study: quantsim.Experiment) -> quantsim.Simulation:
    return quantsim.simulate(study)


def test_sums_of_the_frame_are_the_metrics(study: quantsim.Experiment, result: quantsim.Simulation) -> None:
    frame, start = result.frame, result.value[0]
    np.testing.assert_array_equal(frame["value"], result.value)
    np.testing.assert_allclose(frame["fees"].sum(), result.fee_revenue, rtol=1e-12)
    np.testing.assert_allclose(frame["lvr"].sum() / start, result.metrics["lvr"], rtol=1e-9)
    held = (frame["value"].diff() - frame["lvr"]).iloc[1:]
    own = sum(frame[f"reserve_{token}"].shift() * frame[f"price_{token}"].diff() for token in result.tokens)
    np.testing.assert_allclose(held, own.iloc[1:], atol=1e-6)
    traded = frame["fees"] > 0.0  # the volume of other bars is only rounding
    assert 0 < traded.sum() < len(frame)
    np.testing.assert_array_equal(frame["gas"], 2.0 * traded)
    assert frame.index.tz is not None


def test_days_sum_the_flows(result: quantsim.Simulation) -> None:
    bars, days = result.frame, result.to_frame("day")
    assert len(days) == 30
    np.testing.assert_array_equal(days["value"], bars["value"].iloc[::2])
    np.testing.assert_allclose(days["fees"], bars["fees"].to_numpy().reshape(-1, 2).sum(axis=1))
    with pytest.raises(ConfigError, match="per = 'week'"):
        result.to_frame("week")  # type: ignore[arg-type]


def test_days_are_those_of_the_daily_returns(study: quantsim.Experiment) -> None:
    at_noon = study.override(["periods.train_start=2018-04-01T12:00:00"])
    result = quantsim.simulate(at_noon)
    days = result.to_frame("day")
    assert set(days.index.hour) == {12}  # type: ignore[attr-defined]
    np.testing.assert_allclose(np.diff(np.log(days["value"])), result.daily_log_returns, rtol=1e-9)
    assert list(result.attribution("day").index) == list(days.index)


def test_results_show_themselves(study: quantsim.Experiment, result: quantsim.Simulation) -> None:
    assert repr(result).startswith("Simulation('two tokens', train: 30 days, value 1,000,000 to ")
    assert repr(study) == "Experiment('two tokens': momentum on ETH, BTC; train from 2018-04-01)"
    html = result._repr_html_()
    assert "two tokens" in html
    assert study.objective.name in html
    picture = result.plot()._repr_png_()  # type: ignore[attr-defined]
    assert picture.startswith(b"\x89PNG")


def test_comparisons_are_of_the_same_periods_and_prices(
    study: quantsim.Experiment, result: quantsim.Simulation
) -> None:
    table = result.compare(quantsim.simulate(study, {"k_per_day": 2.0}), ["returns"])
    row = table.loc["returns"]
    assert row["difference"] == row["this"] - row["other"]
    assert row["lower"] < row["difference"] < row["upper"]
    loaded = study.load_prices()
    dearer = quantsim.Prices(loaded.times, 2.0 * loaded.prices, loaded.tokens, loaded.bar_minutes)
    with pytest.raises(ConfigError, match="different prices"):
        result.compare(quantsim.simulate(study, prices=dearer))


def test_frames_are_prices_wherever_prices_are_taken(study: quantsim.Experiment, result: quantsim.Simulation) -> None:
    loaded = study.load_prices()
    frame = pd.DataFrame(loaded.prices, pd.DatetimeIndex(loaded.times), [f"{token}_USD" for token in loaded.tokens])
    assert study.prices(frame).identity == loaded.identity
    evaluator = quantsim.Evaluator(study, frame)
    assert evaluator.data_id == result.data_id
    assert evaluator.notes["prices"].startswith("in memory (frame)")
    pinned = study.replace(data={"sha256": "0" * 64})
    with pytest.raises(PriceError, match=r"data\.sha256"):
        pinned.prices(frame)
    with pytest.raises(PriceError, match="BTC"):
        study.prices(frame[["ETH_USD"]])


def candles(times: Any, closes: list[float], **columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"timestamp": times, "open": 1.0, "close": closes, **columns})


def test_candles_are_known_at_their_end() -> None:
    times = pd.date_range("2024-01-01", periods=3, freq="h")
    stamps = times.as_unit("ms").astype("int64")
    found = from_ohlcv({"ETH/USDT": candles(stamps, [1.0, 2.0, 3.0]), "BTC": candles(times, [4.0, 5.0, 6.0])[1:]})
    assert found.tokens == ("ETH/USDT", "BTC")
    assert str(found.times[0]) == "2024-01-01T02:00:00"
    np.testing.assert_array_equal(found.prices, [[2.0, 5.0], [3.0, 6.0]])
    indexed = candles(times, [1.0, 2.0, 3.0]).set_index("timestamp").rename_axis("close_time")
    assert from_ohlcv({"ETH": indexed}).times[0] == times[0].to_numpy()
    with pytest.raises(PriceError, match="no column of closes"):
        from_ohlcv({"ETH": candles(times, [1.0, 2.0, 3.0]).drop(columns="close")})
    with pytest.raises(PriceError, match="has no times"):
        from_ohlcv({"ETH": candles(times, [1.0, 2.0, 3.0]).drop(columns="timestamp")})


@pytest.mark.parametrize("notebook", [True, False])
def test_bars_are_drawn_in_notebooks(
    notebook: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shell = types.SimpleNamespace(config={"IPKernelApp": {}} if notebook else {})
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    with showing(True, "trial", lambda report: (report, 3, "best 1")) as update:
        assert (update is not None) == notebook
        if update is not None:
            update(3)
    assert ("3/3" in capsys.readouterr().err) == notebook


def test_a_function_is_called_instead_of_a_bar() -> None:
    seen: list[int] = []
    with showing(seen.append, "trial", lambda report: (report, 3, "")) as update:
        assert update is not None
        update(2)
    assert seen == [2]
