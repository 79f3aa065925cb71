"""Synthetic prices: moments, dependence, reproducibility, and the forms in which a study and a source name them."""

from __future__ import annotations

import math

import numpy as np
import pytest

import quantsim
from quantsim.errors import ConfigError, PriceError
from quantsim.prices import available, load_prices
from quantsim.prices.synthetic import block_bootstrap, gbm, ou_trend
from quantsim.prices.synthetic.arithmetic import exponential
from quantsim.prices.synthetic.block_bootstrap import resampled_rows
from quantsim.prices.synthetic.source import parsed, written

LONG = {"start": "2000-01-01", "end": "2030-01-01"}  # 262 968 hours


def returns_of(prices: quantsim.Prices) -> np.ndarray:
    return np.diff(np.log(prices.prices), axis=0)


def study_with(data: dict[str, object], **tables: object) -> quantsim.Experiment:
    periods = {"train_start": "2018-01-01", "train_end": "2018-02-01", "validation_end": "2018-02-15"}
    pool = {"rule": "momentum"}
    return quantsim.Experiment.from_dict({"data": data, "periods": periods, "pool": pool, **tables})


def test_returns_of_brownian_prices_have_the_given_moments_and_correlation():
    prices = gbm(["A", "B"], seed=3, volatility_per_hour=0.008, drift_per_year=0.5, correlation=0.6, **LONG)
    returns = returns_of(prices)
    n = returns.shape[0]
    assert returns.std(axis=0) == pytest.approx(0.008, rel=5 / math.sqrt(2 * n))
    assert returns.mean(axis=0) * 8760 == pytest.approx(0.5, abs=5 * 0.008 / math.sqrt(n) * 8760)
    assert np.corrcoef(returns.T)[0, 1] == pytest.approx(0.6, abs=5 * (1 - 0.6**2) / math.sqrt(n))
    assert np.corrcoef(returns[1:, 0], returns[:-1, 0])[0, 1] == pytest.approx(0.0, abs=5 / math.sqrt(n))
    standard = (returns[:, 0] - returns[:, 0].mean()) / returns[:, 0].std()
    assert np.mean(standard**3) == pytest.approx(0.0, abs=5 * math.sqrt(6 / n))
    assert np.mean(standard**4) == pytest.approx(3.0, abs=5 * math.sqrt(24 / n))


def test_volatility_per_year_and_shorter_bars_are_in_their_units():
    yearly = gbm(["A"], volatility_per_year=0.008 * math.sqrt(8760))
    np.testing.assert_allclose(yearly.prices, gbm(["A"], volatility_per_hour=0.008).prices, rtol=1e-10)
    halves = gbm(["A"], volatility_per_hour=0.008, bar_minutes=15)
    assert returns_of(halves).std() == pytest.approx(0.004, rel=0.02)


def test_each_token_can_have_its_own_parameters():
    prices = gbm(["A", "B"], volatility_per_hour={"A": 0.01, "B": 0.0}, start_price={"A": 5.0, "B": 7.0})
    assert prices.prices[0].tolist() == [5.0, 7.0]
    assert (prices.prices[:, 1] == 7.0).all()
    assert returns_of(prices)[:, 0].std() == pytest.approx(0.01, rel=0.03)


def test_the_trend_has_the_given_deviation_and_half_life():
    trend = returns_of(ou_trend(["A"], volatility_per_hour=0.0, trend_half_life_days=2.0, **LONG))[:, 0]
    lag = 48
    independent = trend.size / lag / 3
    assert trend.std() == pytest.approx(0.0005, rel=5 / math.sqrt(2 * independent))
    assert np.corrcoef(trend[lag:], trend[:-lag])[0, 1] == pytest.approx(0.5, abs=5 / math.sqrt(independent))


def test_a_trend_is_added_to_the_brownian_prices_of_the_same_seed():
    flat = ou_trend(["A"], seed=4, trend_deviation_per_hour=0.0)
    np.testing.assert_array_equal(flat.prices, gbm(["A"], seed=4).prices)
    both, trend = ou_trend(["A"], seed=4), ou_trend(["A"], seed=4, volatility_per_hour=0.0)
    np.testing.assert_allclose(returns_of(both), returns_of(flat) + returns_of(trend), atol=1e-12)


@pytest.mark.parametrize("make", [gbm, ou_trend])
def test_a_later_end_or_another_token_does_not_change_prices(make):
    short = make(["A", "B"], seed=5, correlation=0.3, start="2018-01-01", end="2018-02-01")
    long = make(["B", "C", "A"], seed=5, correlation=0.3, start="2018-01-01", end="2019-02-01")
    np.testing.assert_array_equal(short.prices, long.prices[: short.n_bars][:, [2, 0]])
    other = make(["A", "B"], seed=6, correlation=0.3, start="2018-01-01", end="2018-02-01")
    assert (other.prices[1:] != short.prices[1:]).all()


def test_prices_are_the_same_bits_on_every_machine():
    """A change of these means that stored runs on synthetic prices no longer find their prices."""
    end = {"end": "2018-01-01"}
    assert gbm(["A", "B"], seed=1, correlation=0.5, **end).identity[:16] == "ba008a9fc0535f24"
    assert ou_trend(["A"], seed=1, **end).identity[:16] == "ad3053b01e17a1c3"
    real = load_prices(["BTC", "ETH"], end="2017-11-01")
    assert block_bootstrap(real, seed=1).identity[:16] == "521109cd6586f915"


def test_the_exponential_is_that_of_numpy_to_the_last_bits():
    values = np.random.default_rng(0).uniform(-300, 300, 10_000)
    np.testing.assert_allclose(exponential(values), np.exp(values), rtol=3e-16)


def test_resampled_blocks_have_geometric_lengths_and_uniform_places():
    rows = resampled_rows(5_000, 400_000, 50.0, seed=7)
    begins = np.flatnonzero(np.diff(rows) % 5_000 != 1) + 1
    lengths = np.diff(begins)
    assert lengths.mean() == pytest.approx(50.0, rel=5 / math.sqrt(lengths.size))
    assert lengths.std() == pytest.approx(50.0, rel=10 / math.sqrt(lengths.size))
    counts = np.histogram(rows[begins], bins=10, range=(0, 5_000))[0]
    assert counts == pytest.approx(begins.size / 10, abs=5 * math.sqrt(begins.size / 10))
    np.testing.assert_array_equal(resampled_rows(5_000, 1_000, 50.0, seed=7), rows[:1_000])


def test_resampled_rows_are_joint_rows_of_the_source():
    real = load_prices(["BTC", "ETH"], start="2018-01-01", end="2018-03-01", bar_minutes=60)
    resampled = block_bootstrap(real, seed=2, mean_block_days=3.0, end="2018-06-01")
    rows = resampled_rows(real.n_bars - 1, resampled.n_bars - 1, 72.0, seed=2)
    np.testing.assert_allclose(returns_of(resampled), returns_of(real)[rows], atol=1e-12)
    assert str(resampled.times[-1]) == "2018-05-31T23:00:00"
    np.testing.assert_array_equal(
        resampled.prices[: real.n_bars], block_bootstrap(real, seed=2, mean_block_days=3.0).prices
    )


def test_a_source_is_the_same_as_a_call():
    named = load_prices(
        ["A", "B"], "synthetic:gbm?seed=3&start_price.A=2&start_price.B=3", start="2018-01-01", bar_minutes=120
    )
    made = gbm(["A", "B"], seed=3, start_price={"A": 2, "B": 3}).resample(120).between("2018-01-01", None)
    assert named.identity == made.identity
    resampled = load_prices(["BTC", "ETH"], "synthetic:block-bootstrap?seed=3&mean_block_days=2&source_end=2018-01-01")
    real = load_prices(["BTC", "ETH"], end="2018-01-01")
    assert resampled.identity == block_bootstrap(real, seed=3, mean_block_days=2.0).identity


def test_a_source_survives_being_written_and_parsed():
    parameters = {"seed": 3, "source": "/a b/ü&=?.csv", "mean_block_days": 0.5, "start": "2018-01-01T10:30"}
    assert parsed(written("block-bootstrap", parameters)) == ("block-bootstrap", parameters)


def test_available_lists_what_a_synthetic_source_holds():
    (row,) = available("synthetic:gbm?bar_minutes=30")
    assert (row.token, row.bar_minutes, str(row.last)) == ("any token", 30, "2019-09-30T23:30:00")
    assert [row.token for row in available("synthetic:block-bootstrap")] == ["BTC", "EOS", "ETH", "LTC", "XRP"]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("synthetic:gmb", "did you mean 'gbm'"),
        ("synthetic:gbm?sed=1", "did you mean 'seed'"),
        ("synthetic:gbm?seed", "must be name=value"),
        ("synthetic:gbm?seed=1&seed=2", "seed is given twice"),
        ("synthetic:gbm?seed=-1", "seed = -1 must be a whole number"),
        ("synthetic:gbm?seed=0.5", "seed = 0.5 must be a whole number"),
        ("synthetic:gbm?volatility_per_hour=x", "volatility_per_hour = 'x' must be a number"),
        ("synthetic:gbm?volatility_per_hour=nan", "volatility_per_hour = nan must be a number"),
        ("synthetic:gbm?volatility_per_hour=0.1&volatility_per_year=1", "give one of them"),
        ("synthetic:gbm?correlation=-0.5", "correlation = -0.5 must be a number of at least 0"),
        ("synthetic:gbm?start_price=0", "start_price = 0 must be a number above 0"),
        ("synthetic:gbm?start_price.C=1", "start_price has no number for 'A'"),
        ("synthetic:gbm?start_price=1&start_price.A=2", "both for all tokens and for A"),
        ("synthetic:gbm?start=2018", "start = 2018 must be a date"),
        ("synthetic:gbm?start=2018-01-01T00:07", "not a stamp of 60-minute bars"),
        ("synthetic:gbm?end=2017-10-01", "hold 0 bars"),
        ("synthetic:gbm?bar_minutes=7", "divides a day"),
        ("synthetic:gbm?volatility_per_hour=1&end=2035-01-01", "lower its volatility"),
        ("synthetic:ou-trend?trend_half_life_days=0", "trend_half_life_days = 0 must be a number above 0"),
        ("synthetic:block-bootstrap?mean_block_days=0", "mean_block_days = 0 must be a number above 0"),
        ("synthetic:block-bootstrap?source=synthetic:gbm", "must be 'bundled', a folder or a file"),
        ("synthetic:block-bootstrap?source=/no/where", "does not exist"),
    ],
)
def test_a_bad_source_is_an_error_that_names_the_parameter(source: str, words: str):
    with pytest.raises(PriceError, match=words):
        load_prices(["A", "B"], source)


def test_a_study_takes_its_prices_from_the_table():
    data = {
        "source": "synthetic:gbm",
        "tokens": ["A", "B"],
        "synthetic": {"seed": 9, "volatility_per_hour": {"A": 0.01, "B": 0.02}},
    }
    study = study_with(data)
    made = gbm(["A", "B"], seed=9, volatility_per_hour={"A": 0.01, "B": 0.02})
    prices = study.load_prices()
    assert prices.identity == made.identity
    assert study.prices_note(prices) is None
    assert study.prices_note(made) is not None
    in_source = study_with({**data, "source": study.data.place, "synthetic": {}})
    assert in_source == study
    again = quantsim.Experiment.from_dict(study.model_dump(mode="json"))
    assert again == study


def test_parameters_of_the_prices_count_in_the_identity_of_a_study():
    tokens = {"tokens": ["A", "B"]}
    sources = ["synthetic:gbm", "synthetic:gbm?seed=1", "synthetic:gbm?seed=2", "synthetic:ou-trend", "bundled"]
    assert len({study_with({"source": source, **tokens}).identity for source in sources}) == len(sources)


def test_a_new_source_drops_the_parameters_of_the_one_before():
    study = study_with({"source": "synthetic:gbm?seed=1&correlation=0.5", "tokens": ["BTC", "ETH"]})
    assert study.override(["data.synthetic.seed=2"]).data.place == "synthetic:gbm?correlation=0.5&seed=2"
    assert study.override(['data.source="synthetic:ou-trend?seed=3"']).data.place == "synthetic:ou-trend?seed=3"
    assert study.override(['data.source="bundled"']).data.place == "bundled"


def test_a_path_in_the_table_is_relative_to_the_study(tmp_path):
    (tmp_path / "prices").mkdir()
    text = '[data]\nsource = "synthetic:block-bootstrap"\ntokens = ["A", "B"]\n[data.synthetic]\nsource = "prices"\n'
    text += (
        "start = 2018-01-01\n[periods]\ntrain_start = 2018-01-01\ntrain_end = 2018-02-01\n[pool]\nrule = 'momentum'\n"
    )
    (tmp_path / "study.toml").write_text(text)
    study = quantsim.Experiment.load(tmp_path / "study.toml")
    assert study.data.place == f"synthetic:block-bootstrap?source={tmp_path / 'prices'}&start=2018-01-01"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"source": "synthetic:gbm", "synthetic": {"seed": True}}, "synthetic: seed = True must be a whole number"),
        ({"source": "synthetic:gbm", "synthetic": {"volatility": 1}}, "no parameter 'volatility'"),
        ({"source": "synthetic:gbm", "synthetic": {"kind": "ou-trend"}}, "synthetic.kind = 'ou-trend' is another kind"),
        ({"source": "synthetic:gbm?seed=1", "synthetic": {"seed": 2}}, "leave one out"),
        ({"source": "synthetic:gbm", "synthetic": 3}, "synthetic: must be a table"),
        ({"source": "bundled", "synthetic": {"seed": 2}}, "set source to 'synthetic:gbm', or remove the table"),
        ({"source": "synthetic:nothing"}, "no synthetic prices of kind 'nothing'"),
    ],
)
def test_a_bad_table_is_an_error_of_the_study(data: dict[str, object], words: str):
    with pytest.raises(ConfigError, match=words):
        study_with({"tokens": ["A", "B"], **data})


def test_an_evaluation_on_synthetic_prices_equals_one_on_the_same_prices_in_memory():
    study = study_with({"source": "synthetic:gbm?seed=2", "tokens": ["A", "B"]}, objective={"report": ["returns"]})
    found = quantsim.Evaluator(study)
    given = quantsim.Evaluator(study, gbm(["A", "B"], seed=2))
    assert found.data_id == given.data_id
    assert "prices" not in found.notes
    assert "in memory" in given.notes["prices"]
