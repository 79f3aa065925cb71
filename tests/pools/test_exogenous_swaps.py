"""Exogenous swaps: against plain loops with the swap formulas, with their outcomes, fees, windows and gradients."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pool_reference as reference
import pytest
from pool_support import (
    FEES,
    FIRST,
    HALF_HOURS,
    TOKENS,
    bar_by_bar,
    expected,
    make_experiment,
    random_params,
    random_prices,
    stacked,
)

from quantsim import CheckpointStore, Evaluator, Experiment, Prices, simulate
from quantsim.drivers.sgd import run_sgd
from quantsim.errors import ConfigError, PriceError
from quantsim.pools.exogenous_swaps import Outcome
from quantsim.prices import Trades
from quantsim.simulator import Path as Way

START = HALF_HOURS.history
NAN = float("nan")
Row = tuple[int, str, str, float, float]  # bar of the data, in, out, amount in, amount out


def trades_of(rows: list[Row], minutes: float = 0.0) -> Trades:
    """Trades that many minutes after their bar's stamp."""
    first = np.datetime64(FIRST.replace(tzinfo=None), "s")
    times = [first + np.timedelta64(int(60 * (HALF_HOURS.bar_minutes * row[0] + minutes)), "s") for row in rows]
    columns = list(zip(*rows, strict=True))
    return Trades(np.array(times), columns[1], columns[2], np.array(columns[3]), np.array(columns[4]))


def random_rows(prices: Prices, seed: int, n_trades: int = 60) -> list[Row]:
    """Trades of very different sizes, several in some bars, in and out of the window, too large for the pool now and then."""
    generator = np.random.default_rng(seed)
    bars = np.sort(generator.integers(START - 20, prices.n_bars, n_trades))
    bars[10:14] = bars[10]
    rows = []
    for bar in np.sort(bars).tolist():
        token_in, token_out = generator.choice(prices.n_tokens, 2, replace=False)
        exact_in = generator.random() < 0.5
        token = token_in if exact_in else token_out
        value = 1e6 / prices.n_tokens * np.exp(generator.uniform(-12.0, 0.0))
        amount = float(value / prices.prices[bar, token])
        rows.append(
            (bar, TOKENS[token_in], TOKENS[token_out], amount if exact_in else NAN, NAN if exact_in else amount)
        )
    return rows


def plain(rows: list[Row], start: int = START) -> list[reference.Trade]:
    return [
        reference.Trade(
            bar - start,
            TOKENS.index(token_in),
            TOKENS.index(token_out),
            None if np.isnan(amount_in) else amount_in,
            None if np.isnan(amount_out) else amount_out,
        )
        for bar, token_in, token_out, amount_in, amount_out in rows
    ]


def with_trades(rule: str, n_tokens: int, **tables: Any) -> Experiment:
    series = {"trades": "given", **tables.pop("series", {})}
    return make_experiment(rule, n_tokens, HALF_HOURS, series=series, **tables)


CASES = [
    *(("momentum", 3, fees, {}) for fees in FEES if fees != "noise"),  # see below
    ("balancer", 3, "protocol", {}),
    ("momentum", 3, "noise", {"arb_frequency": 7}),
    ("momentum", 2, "zero", {"arb_frequency": 7, "trading_minutes": 120}),
    ("momentum", 2, "fee", {"trading_minutes": 90}),
    ("momentum", 3, "protocol", {"do_arb": False}),
    ("balancer", 2, "zero", {"do_arb": False}),
]


@pytest.mark.parametrize(("rule", "n_tokens", "fees", "pool"), CASES)
def test_every_bar_equals_the_plain_loop(rule: str, n_tokens: int, fees: str, pool: dict[str, Any]) -> None:
    experiment = with_trades(rule, n_tokens, fees=FEES[fees], pool=pool)
    prices, params = random_prices(HALF_HOURS, n_tokens, 1), random_params(rule, HALF_HOURS, n_tokens, 1)
    rows = random_rows(prices, 7)
    wanted = expected(experiment, params, prices, trades=plain(rows))
    found = bar_by_bar(experiment, params, prices, series={"trades": trades_of(rows, 10.0)})
    np.testing.assert_allclose(found.reserves, wanted.reserves, rtol=1e-9)
    np.testing.assert_allclose(found.value, wanted.value, rtol=1e-10)
    np.testing.assert_allclose(found.fee_revenue, wanted.fee_revenue, rtol=1e-9, atol=1e-9)
    assert found.fills is not None
    amounts = np.array([fill[:3] for fill in wanted.fills]).T
    for mine, theirs in zip(found.fills[:3], amounts, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-8, atol=1e-12)
    outcomes = [Outcome(int(code)).name.lower() for code in np.asarray(found.fills.outcome)]
    assert outcomes == [fill[3] for fill in wanted.fills]
    assert {"executed", "outside_window"} < set(outcomes), "some are refused, too"


def test_costs_that_vary_are_those_of_the_trade_s_bar() -> None:
    prices, params = random_prices(HALF_HOURS, 2, 3), random_params("momentum", HALF_HOURS, 2, 3)
    experiment = with_trades("momentum", 2, series={"swap_fee": "given"}, fees={"protocol_fee_split": 0.5})
    rows, fees = random_rows(prices, 8), np.where(np.arange(prices.n_bars) % 40 < 20, 0.001, 0.02)
    wanted = expected(experiment, params, prices, trades=plain(rows), swap_fee=fees[START:])
    found = bar_by_bar(experiment, params, prices, series={"trades": trades_of(rows), "swap_fee": fees})
    np.testing.assert_allclose(found.reserves, wanted.reserves, rtol=1e-9)
    np.testing.assert_allclose(found.fills.fee, [fill[2] for fill in wanted.fills], rtol=1e-8, atol=1e-12)  # type: ignore[union-attr]


# A pool that nobody else trades with, so that amounts can be worked out by hand


def still(weights: list[float], **fees: float) -> tuple[Experiment, Prices, dict[str, Any]]:
    experiment = with_trades("balancer", 2, fees=fees, pool={"do_arb": False})
    return experiment, random_prices(HALF_HOURS, 2, 0), {"initial_weights": weights}


def nine(rows: list[Row]) -> Trades:
    """Nine trades in five bars of the data, three at most in one: all tests of such pools share a program.

    The first ones come long before the window.
    """
    missing, n_bars = 9 - len(rows), 5 - len({row[0] for row in rows})
    bars = sorted([0] * 3 + [1 + at % (n_bars - 1) for at in range(missing - 3)])
    return trades_of([*((bar, "BTC", "ETH", 1.0, NAN) for bar in bars), *rows])


def bars_of_change(reserves: np.ndarray) -> list[int]:
    """Bars whose reserves differ from those of the bar before, by more than the rounding of their logarithms."""
    changes = np.abs(np.diff(np.log(reserves), axis=0)).max(axis=1)
    return (np.flatnonzero(changes > 1e-12) + 1).tolist()


def test_amounts_of_a_pool_of_equal_weights() -> None:
    """``x y`` is held: with ``γ a`` in, ``y γ a / (x + γ a)`` goes out."""
    experiment, prices, params = still([0.5, 0.5], swap_fee=0.003)
    x, y = 5e5 / prices.prices[START]
    a = 0.01 * x
    trades = nine([(START + 1, "BTC", "ETH", a, NAN), (START + 5, "ETH", "BTC", NAN, 0.01 * x)])
    result = simulate(experiment, params, prices, series={"trades": trades})
    out = y * 0.997 * a / (x + 0.997 * a)
    assert result.trades is not None
    np.testing.assert_allclose(result.trades.amount_in[-2], a, rtol=1e-15)
    np.testing.assert_allclose(result.trades.amount_out[-2], out, rtol=1e-13)
    x, y = x + a, y - out
    paid = y * 0.01 * (x - a) / (x - 0.01 * (x - a)) / 0.997
    np.testing.assert_allclose(result.trades.amount_out[-1], 0.01 * (x - a), rtol=1e-13)
    np.testing.assert_allclose(result.trades.amount_in[-1], paid, rtol=1e-13)
    fees = 0.003 * np.array([a * prices.prices[START + 1, 0], paid * prices.prices[START + 5, 1]])
    np.testing.assert_allclose(result.trades.fee[-2:], fees, rtol=1e-13)
    assert result.fee_revenue == pytest.approx(fees.sum(), rel=1e-13)
    assert result.fees is not None
    assert result.fees.sum() == pytest.approx(fees.sum(), rel=1e-12)
    assert result.metrics["fee_revenue_over_value"] == pytest.approx(fees.sum() / 1e6, rel=1e-13)
    np.testing.assert_allclose(result.reserves[5], [x - 0.01 * (x - a), y + paid], rtol=1e-13)
    assert bars_of_change(result.reserves) == [1, 5]


def test_small_trades_keep_their_digits() -> None:
    """A share of 1e-14 of the reserves trades at the spot price, which a difference of powers would lose."""
    experiment, prices, params = still([0.8, 0.2], swap_fee=0.01)
    x, y = np.array([8e5, 2e5]) / prices.prices[START]
    trades = nine([(START + 1, "BTC", "ETH", 1e-14 * x, NAN), (START + 1, "BTC", "ETH", NAN, 1e-14 * y)])
    result = simulate(experiment, params, prices, series={"trades": trades})
    assert result.trades is not None
    spot = (y / 0.2) / (x / 0.8)
    np.testing.assert_allclose(result.trades.amount_out[-2:] / result.trades.amount_in[-2:], 0.99 * spot, rtol=1e-12)


@pytest.mark.parametrize("split", [0.0, 0.4, 1.0])
def test_the_fee_stays_but_for_the_protocol_s_share(split: float) -> None:
    experiment, prices, params = still([0.6, 0.4], swap_fee=0.02, protocol_fee_split=split)
    x = 6e5 / prices.prices[START, 0]
    trades = nine([(START + 3, "BTC", "ETH", 0.1 * x, NAN)])
    result = simulate(experiment, params, prices, series={"trades": trades})
    assert result.reserves[3, 0] == pytest.approx(x * (1 + 0.1 * (1 - 0.02 * split)), rel=1e-13)
    assert result.fee_revenue == pytest.approx(
        (1 - split) * 0.02 * 0.1 * x * prices.prices[START + 3, 0], rel=1e-12, abs=1e-12
    )


def test_refusals_have_reasons_and_move_nothing(tmp_path: Path) -> None:
    _, prices, params = still([0.5, 0.5])
    x, y = 5e5 / prices.prices[START]
    last = prices.n_bars - 1
    rows: list[tuple[Row, Outcome]] = [
        ((START - 30, "BTC", "ETH", 0.01 * x, NAN), Outcome.OUTSIDE_WINDOW),
        ((START, "BTC", "ETH", 0.01 * x, NAN), Outcome.OUTSIDE_WINDOW),  # the bar in which the pool opens
        ((START + 1, "BTC", "ETH", 0.3 / 0.99 * x * (1 + 1e-9), NAN), Outcome.MAX_IN_RATIO),
        ((START + 1, "BTC", "ETH", NAN, 0.3 * y * (1 + 1e-9)), Outcome.MAX_OUT_RATIO),
        ((START + 2, "BTC", "ETH", NAN, y), Outcome.EMPTIES_POOL),
        ((START + 2, "ETH", "BTC", NAN, 5 * x), Outcome.EMPTIES_POOL),
        ((START + 2, "BTC", "ETH", 0.3 / 0.99 * x * (1 - 1e-9), NAN), Outcome.EXECUTED),
        ((last, "ETH", "BTC", 0.01 * y, NAN), Outcome.EXECUTED),
        ((last + 1, "ETH", "BTC", 0.01 * y, NAN), Outcome.OUTSIDE_WINDOW),
    ]
    trades = trades_of([row for row, _ in rows])
    path = tmp_path / "trades.csv"
    lines = ["time,token_in,token_out,amount_in,amount_out"]
    for at, ((_, token_in, token_out, *amounts), _) in enumerate(rows):
        cells = ["" if np.isnan(amount) else repr(float(amount)) for amount in amounts]
        lines.append(f"{trades.times[at]}Z,{token_in},{token_out},{','.join(cells)}")
    path.write_text("\n".join(lines) + "\n")
    experiment = make_experiment(
        "balancer", 2, HALF_HOURS, fees={"swap_fee": 0.01}, pool={"do_arb": False}, series={"trades": str(path)}
    )
    result = simulate(experiment, params, prices)
    assert result.trades is not None
    assert list(result.trades.outcome) == [outcome for _, outcome in rows]
    done = np.array([outcome is Outcome.EXECUTED for _, outcome in rows])
    for amounts in (result.trades.amount_in, result.trades.amount_out, result.trades.fee):
        assert (amounts[done] > 0).all()
        assert not amounts[~done].any()
    assert bars_of_change(result.reserves) == [2, last - START]
    counts = {"executed": 2, "outside_window": 3, "max_in_ratio": 1, "max_out_ratio": 1, "empties_pool": 2}
    assert result.trades.count() == result.notes["trades"] == counts
    assert all(outcome.reason for outcome in Outcome)
    assert "30%" in Outcome.MAX_IN_RATIO.reason


def test_a_trade_in_a_token_that_the_pool_lacks_is_an_error_before_any_work() -> None:
    experiment, prices, _ = still([0.5, 0.5])
    trades = trades_of([(START + 1, "BTC", "ETH", 1.0, NAN), (START + 1, "BTC", "XRP", 1.0, NAN)])
    with pytest.raises(PriceError, match="trades, data row 2: the pool has no token 'XRP'"):
        Evaluator(experiment, prices, {"trades": trades})
    with pytest.raises(PriceError, match=r"series trades is a list; give quantsim\.prices\.Trades"):
        Evaluator(experiment, prices, {"trades": []})


# Windows


def test_a_window_executes_its_own_trades_only() -> None:
    experiment = with_trades("balancer", 2, fees=FEES["fee"])
    prices, params = random_prices(HALF_HOURS, 2, 5), {"initial_weights": [0.3, 0.7]}
    rows = random_rows(prices, 3)
    evaluator = Evaluator(experiment, prices, {"trades": trades_of(rows, 29.0)})
    raw, starts, n_bars = experiment.initial_parameters(params), [START, START + 100, START + 50], 100
    names = ["returns", "fee_revenue_over_value"]
    for metrics in (names, [*names, "sharpe"]):  # read off the last bar, and off every bar
        found = evaluator.evaluate_at(raw, starts, n_bars, metrics)
        for at, start in enumerate(starts):
            wanted = expected(experiment, params, prices, start=start, n_bars=n_bars, trades=plain(rows, start))
            assert found["returns"][at] == pytest.approx(wanted.value[-1] / 1e6 - 1, rel=1e-9)
            assert found["fee_revenue_over_value"][at] == pytest.approx(wanted.fee_revenue / 1e6, rel=1e-9, abs=1e-14)
            done = {row[0] for row, fill in zip(rows, wanted.fills, strict=True) if fill[3] != "outside_window"}
            assert done <= set(range(start + 1, start + n_bars))
            assert done


def test_a_trade_belongs_to_the_bar_that_its_time_falls_into() -> None:
    experiment, prices, params = still([0.5, 0.5])
    rows: list[Row] = [(START + 4, "BTC", "ETH", 1e-3 * 5e5 / float(prices.prices[START, 0]), NAN)]
    for minutes, bar in ((0.0, 4), (29.9, 4), (30.0, 5), (-0.1, 3)):
        reserves = bar_by_bar(experiment, params, prices, series={"trades": trades_of(rows, minutes)}).reserves
        assert bars_of_change(reserves) == [bar], minutes


@pytest.mark.parametrize("n_tokens", [2, 3])
def test_arbitrage_after_a_trade_brings_the_pool_back(n_tokens: int) -> None:
    """Without fees: to the value of the invariant, in proportion to the weights, in the next bar."""
    experiment = with_trades("balancer", n_tokens)
    prices, bar = random_prices(HALF_HOURS, n_tokens, 2), 30
    weights = np.arange(1.0, n_tokens + 1) / np.arange(1.0, n_tokens + 1).sum()
    amount = 0.05 * weights[0] * 1e6 / float(prices.prices[START + bar, 0])
    rows: list[Row] = [(START + bar, "BTC", "ETH", amount, NAN)]
    params = {"initial_weights": weights.tolist()}
    found = bar_by_bar(experiment, params, prices, series={"trades": trades_of(rows)})
    without = bar_by_bar(make_experiment("balancer", n_tokens, HALF_HOURS), params, prices)
    shares = found.reserves * found.prices / found.value[:, None]
    np.testing.assert_allclose(shares[:bar], np.tile(weights, (bar, 1)), rtol=1e-9)
    assert shares[bar, 0] > weights[0] * 1.02
    assert found.value[bar] > without.value[bar], "the trader paid for the move of the price"
    np.testing.assert_allclose(shares[bar + 1 :], np.tile(weights, (len(shares) - bar - 1, 1)), rtol=1e-9)
    np.testing.assert_allclose(found.value[bar + 1 :], without.value[bar + 1 :], rtol=1e-9)


# Plans, gradients, drivers


def test_exogenous_swaps_need_the_sequential_pass() -> None:
    prices = random_prices(HALF_HOURS, 2, 0)
    for pool in ({}, {"do_arb": False}):
        experiment = with_trades("balancer", 2, pool=pool)
        evaluator = Evaluator(experiment, prices, {"trades": trades_of([(START + 1, "BTC", "ETH", 1e-3, NAN)])})
        assert evaluator.planner.plan(START, 100, ["returns"])[0].path is Way.FEES
        for path, said in (("per_bar", "exogenous swaps need path = 'fees'"), ("hold", "the pool trades")):
            with pytest.raises(ConfigError, match=said):
                evaluator.planner.plan(START, 100, ["returns"], path)


def test_trades_that_never_happen_change_nothing() -> None:
    prices, params = random_prices(HALF_HOURS, 3, 0), random_params("momentum", HALF_HOURS, 3, 0)
    early = trades_of([(-5, "BTC", "ETH", 1.0, NAN), (prices.n_bars + 3, "BTC", "ETH", 1.0, NAN)])
    found = bar_by_bar(with_trades("momentum", 3, fees=FEES["noise"]), params, prices, series={"trades": early})
    without = bar_by_bar(make_experiment("momentum", 3, HALF_HOURS, fees=FEES["noise"]), params, prices)
    np.testing.assert_allclose(found.value, without.value, rtol=1e-11)
    np.testing.assert_allclose(found.fee_revenue, without.fee_revenue, rtol=1e-10)


@pytest.mark.parametrize(("n_tokens", "fees"), [(2, ("zero",)), (3, ("noise", "protocol"))])
def test_the_gradient_equals_finite_differences(n_tokens: int, fees: tuple[str, ...]) -> None:
    charged = {name: rate for one in fees for name, rate in FEES[one].items()}
    experiment = with_trades("momentum", n_tokens, fees=charged)
    prices = random_prices(HALF_HOURS, n_tokens, 4)
    evaluator = Evaluator(experiment, prices, {"trades": trades_of(random_rows(prices, 5))})
    first, n_bars = evaluator.splits["train"]
    sets, step = stacked(evaluator, random_params("momentum", HALF_HOURS, n_tokens, 4, strength=0.5)), 1e-5
    for name in ("log_k", "logit_lamb"):
        side = np.zeros(n_tokens)
        side[0] = step
        moved = [sets, {**sets, name: sets[name] + side}, {**sets, name: sets[name] - side}]
        rows = {key: np.concatenate([one[key] for one in moved]) for key in sets}
        values, gradients = evaluator.value_and_grad(rows, [first], n_bars, "returns")
        assert all(np.isfinite(gradient).all() for gradient in gradients.values())
        assert gradients[name][0, 0] == pytest.approx((values[1] - values[2]) / (2 * step), rel=1e-4, abs=1e-8)


def test_the_gradient_driver_says_once_what_exogenous_swaps_cost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "trades.csv"
    time = np.datetime64(FIRST.replace(tzinfo=None), "m") + np.timedelta64(30 * (START + 9), "m")
    path.write_text(f"time,token_in,token_out,amount_in\n{time},BTC,ETH,0.001\n")
    sgd = {"steps": 2, "report_every": 1, "batch_size": 1, "n_parameter_sets": 2}
    once = {"objective": {"metric": "returns", "report": ["returns"]}, "sgd": sgd}
    experiment = make_experiment("momentum", 2, HALF_HOURS, series={"trades": str(path)}, **once)
    with CheckpointStore(tmp_path / "checkpoints.db") as store, caplog.at_level(logging.WARNING, "quantsim"):
        run_sgd(experiment, random_prices(HALF_HOURS, 2, 0), store)
    said = [record.getMessage() for record in caplog.records if "exogenous swaps" in record.getMessage()]
    assert len(said) == 1
    assert "automatic differentiation" in said[0]


def test_a_composite_pool_takes_trades_in_shares() -> None:
    """A share costs 1 at the first bar of the data; amounts are in shares."""
    experiment = make_experiment(
        "balancer",
        3,
        HALF_HOURS,
        pool={"tokens": ["BTC", "pair"], "do_arb": False},
        subsidiaries={"pair": {"tokens": ["ETH", "XRP"], "rule": "hodl"}},
        series={"trades": "given"},
        fees={"swap_fee": 0.003},
    )
    prices = random_prices(HALF_HOURS, 3, 2)
    trades = trades_of([(START + 1, "pair", "BTC", 1000.0, NAN)])
    result = simulate(experiment, None, prices, series={"trades": trades})
    x, y = result.reserves[0][::-1]
    assert result.reserves[0] @ result.prices[0] == pytest.approx(1e6)
    np.testing.assert_allclose(result.reserves[1][::-1], [x + 1000, y * x / (x + 997)], rtol=1e-12)
