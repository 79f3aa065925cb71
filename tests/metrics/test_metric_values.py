"""Metrics against plain numpy definitions, by hand, in edge cases, and their gradients."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from quantsim.metrics import Need, Sample, SampleShape, compute, get_metric, metric_names

NAMES = metric_names()
BLOCK_DAYS = {"daily": 1, "weekly": 7, "monthly": 30}
SHAPES = [  # (T, B): minutes, half hours, days; one day; whole and broken last days, weeks and months
    (1440, 1440), (1440 * 8, 1440), (1440 * 32 + 17, 1440),
    (48, 48), (48 * 61 + 5, 48), (48 * 14 - 1, 48),
    (1, 1), (2, 1), (31, 1), (400, 1),
]  # fmt: skip

# Those of the tests by hand and of edges, which share their programs.
N_DAYS = 61
DAYS, QUARTERS = SampleShape(N_DAYS, 1), SampleShape(N_DAYS * 4 + 3, 4)
LONG = (DAYS, QUARTERS, SampleShape(N_DAYS * 48 + 5, 48))

compute_jit = jax.jit(compute, static_argnums=(0, 2))


def make_sample(values: np.ndarray, bars_per_day: int, scale: float = 1.0) -> Sample:
    """A sample of that path, times ``scale``, with made-up (but scaling) holdings, fees, turnover and losses."""
    path = jnp.asarray(values * scale)
    assert path.dtype == jnp.float64, "these tests need 64-bit JAX"
    return Sample.from_bars(
        path,
        bars_per_day,
        hodl_end_value=path[0] * 1.07,
        uniform_hodl_end_value=path[0] * 0.94,
        weight_change=jnp.asarray(3.25),
        fee_revenue=path[0] * 0.011,
        rebalancing_loss=path[0] * 0.004,
        rebalancing_costs=path[0] * 0.007,
        benchmark_values=path[0] * jnp.asarray(benchmark(len(values[::bars_per_day]))),
    )


def benchmark(n_days: int) -> np.ndarray:
    """What the made-up benchmark is worth at the first bar of each day, relative to the first."""
    return np.exp(0.02 * np.sin(np.arange(n_days)))


def random_path(n_bars: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng([seed, n_bars])
    return 1e6 * np.exp(np.cumsum(rng.normal(0.0, 0.02 / math.sqrt(max(n_bars, 1) / 40), n_bars)))


def evaluate(values: np.ndarray, bars_per_day: int, names: tuple[str, ...] = NAMES) -> dict[str, float]:
    values = np.asarray(values, dtype=np.float64)
    metrics = compute_jit(names, make_sample(values, bars_per_day), SampleShape(len(values), bars_per_day))
    assert all(value.shape == () and value.dtype == jnp.float64 for value in metrics.values())
    return {name: float(value) for name, value in metrics.items()}


# --- the definitions, bar by bar and block by block -------------------------------------------------------------------


def steps(path: np.ndarray) -> np.ndarray:
    return np.array([path[t] / path[t - 1] - 1 for t in range(1, len(path))])


def falls(path: np.ndarray) -> np.ndarray:
    return np.array([path[t] / max(path[: t + 1]) - 1 for t in range(len(path))])


def falls_fast(path: np.ndarray) -> np.ndarray:
    return falls(path) if len(path) < 500 else path / np.maximum.accumulate(path) - 1


def mean(items: list[float]) -> float:
    return sum(items) / len(items) if items else math.nan


def sharpe(r: np.ndarray, per_year: float) -> float:
    return math.sqrt(per_year) * np.mean(r) / np.sqrt(np.mean((r - np.mean(r)) ** 2))


def sortino(r: np.ndarray, per_year: float) -> float:
    losses = sum(x * x for x in r if x < 0)
    return math.sqrt(per_year) * np.mean(r) / math.sqrt(losses / len(r)) if losses else math.inf


def percentile(r: np.ndarray, percent: float) -> float:
    if len(r) == 0:
        return math.nan
    ordered, place = np.sort(r), percent / 100 * (len(r) - 1)
    below = math.floor(place)
    above = min(below + 1, len(r) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def by_definition(values: np.ndarray, bars_per_day: int) -> dict[str, float]:
    """Every metric of ``make_sample(values, bars_per_day)``, in loops; nan where there is nothing to take."""
    first, last, n_bars = values[0], values[-1], len(values)
    days = n_bars / bars_per_day
    year = 365 / days
    daily = values[::bars_per_day]

    def split(block_days: int) -> list[np.ndarray]:
        size = block_days * bars_per_day
        return [values[start : start + size] for start in range(0, n_bars - size + 1, size)]

    def var(block_days: int, percent: float) -> float:
        inside = [steps(block) for block in split(block_days)]
        return mean([percentile(r, percent) for r in inside if len(r)])

    def var_trad(block_days: int, percent: float) -> float:
        return percentile(steps(np.array([block[-1] for block in split(block_days)])), percent)

    bar_returns, daily_returns = steps(values), steps(daily)
    annual_numerator = (last / first) ** year - 1
    weekly_worst = [falls_fast(block).min() for block in split(7)]
    monthly_falls = [falls_fast(block) for block in split(30)]
    expected = {
        "returns": last / first - 1,
        "returns_over_hodl": last / (first * 1.07) - 1,
        "returns_over_uniform_hodl": last / (first * 0.94) - 1,
        "greatest_draw_down": (values.min() - first) / first,
        "max_drawdown": falls_fast(values).min(),
        "daily_max_drawdown": falls_fast(daily).min(),
        "weekly_max_drawdown": min(weekly_worst, default=math.nan),
        "calmar": annual_numerator / -falls_fast(values).min(),
        "sterling": annual_numerator / -mean([fall.min() for fall in monthly_falls]),
        "ulcer": -mean([math.sqrt(np.mean(fall**2)) for fall in monthly_falls]),
        "fee_revenue_over_value": 0.011,
        "turnover": -3.25 / days,
        "lvr": -0.004,
        "lvr_per_year": -0.004 * 365 * bars_per_day / (n_bars - 1),
        "rvr": 0.003,
    }
    for name in ("returns", "returns_over_hodl", "returns_over_uniform_hodl"):
        expected[f"annualised_{name}"] = (1 + expected[name]) ** (365 * bars_per_day / (n_bars - 1)) - 1
    annual = expected["annualised_returns"]
    expected["sharpe"] = sharpe(bar_returns, 365 * bars_per_day)
    expected["sortino"] = sortino(bar_returns, 365 * bars_per_day)
    expected["annual_raroc"] = annual / -(percentile(bar_returns, 5) * math.sqrt(365 * bars_per_day))
    if len(daily) > 1:
        log_returns = np.log(daily[1:] / daily[:-1])
        expected["daily_sharpe"] = sharpe(daily_returns, 365)
        expected["annualised_volatility"] = -math.sqrt(365) * np.std(daily_returns)
        expected["daily_sortino"] = sortino(daily_returns, 365)
        if len(log_returns) > 1:
            expected["daily_log_sharpe"] = math.sqrt(365) * np.mean(log_returns) / (np.std(log_returns) + 1e-8)
            above = log_returns - np.diff(np.log(benchmark(len(daily))))
            expected["information_ratio"] = math.sqrt(365) * np.mean(above) / (np.std(above) + 1e-8)
        expected["annual_raroc_trad"] = annual / -(percentile(daily_returns, 5) * math.sqrt(365))
    for label, block_days in BLOCK_DAYS.items():
        scale = math.sqrt(year / block_days)
        gain = mean([(block[-1] / block[0]) ** (365 / block_days) - 1 for block in split(block_days)])
        for percent in (5, 1):
            expected[f"{label}_var_{100 - percent}%"] = var(block_days, percent)
            expected[f"{label}_var_{100 - percent}%_trad"] = var_trad(block_days, percent)
        expected[f"{label}_raroc"] = -annual_numerator / (var(block_days, 5) * scale)
        expected[f"{label}_rovar"] = -gain / (var(block_days, 5) * scale)
        expected[f"{label}_rovar_trad"] = -gain / (var_trad(block_days, 5) * scale)
    return {name: float(expected.get(name, math.nan)) for name in NAMES}


@pytest.mark.parametrize(("n_bars", "bars_per_day"), [shape for shape in SHAPES if shape[0] > 2])
@pytest.mark.parametrize("seed", [0, 1])
def test_every_metric_equals_its_definition(n_bars: int, bars_per_day: int, seed: int) -> None:
    values = random_path(n_bars, seed)
    assert evaluate(values, bars_per_day) == pytest.approx(by_definition(values, bars_per_day), rel=1e-9, nan_ok=True)


def test_a_small_path_by_hand() -> None:
    metrics = evaluate(np.array([100.0, 110.0, 88.0, 99.0]), bars_per_day=2)
    assert metrics["returns"] == pytest.approx(-0.01)
    assert metrics["annualised_returns"] == pytest.approx(0.99 ** (730 / 3) - 1)
    assert metrics["greatest_draw_down"] == pytest.approx(-0.12)
    assert metrics["max_drawdown"] == pytest.approx(-0.2)
    assert metrics["daily_var_95%"] == pytest.approx((0.1 + 0.125) / 2)
    assert metrics["daily_var_95%_trad"] == pytest.approx(-0.1)
    assert metrics["turnover"] == pytest.approx(-3.25 / 2)
    assert metrics["sortino"] == pytest.approx(math.sqrt(730) * (0.1 - 0.2 + 0.125) / 3 / math.sqrt(0.04 / 3))


# --- edges ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_bars", "bars_per_day"), SHAPES)
def test_nan_exactly_if_the_sample_is_too_short(n_bars: int, bars_per_day: int) -> None:
    days, daily = n_bars // bars_per_day, -(-n_bars // bars_per_day)
    undefined = set()
    if n_bars < 2:
        undefined |= {name for name in NAMES if name.startswith("annual")} | {"sharpe", "sortino", "lvr_per_year"}
    if daily < 2:
        undefined |= {"daily_sharpe", "daily_sortino", "annualised_volatility", "annual_raroc_trad"}
    if daily < 3:
        undefined |= {"daily_log_sharpe", "information_ratio"}
    for label, block_days in BLOCK_DAYS.items():
        if days < block_days or block_days * bars_per_day < 2:
            undefined |= {f"{label}_{kind}" for kind in ("var_95%", "var_99%", "raroc", "rovar")}
        if days < 2 * block_days:
            undefined |= {f"{label}_{kind}_trad" for kind in ("var_95%", "var_99%", "rovar")}
    if days < 7:
        undefined |= {"weekly_max_drawdown"}
    if days < 30:
        undefined |= {"sterling", "ulcer"}
    metrics = evaluate(random_path(n_bars), bars_per_day)
    assert {name for name, value in metrics.items() if math.isnan(value)} == undefined & set(NAMES)
    shape = SampleShape(n_bars, bars_per_day)
    assert {name for name in NAMES if not get_metric(name).least.is_met(shape)} == undefined & set(NAMES)


def test_the_incomplete_last_block_is_dropped() -> None:
    whole = random_path(48 * 30)
    broken = np.concatenate([whole, whole[-1] * np.linspace(1.0, 0.1, 47)])  # a crash on an incomplete day
    daily_and_monthly = ("daily_var_95%", "daily_var_99%_trad", "ulcer")
    found = evaluate(broken, 48, (*daily_and_monthly, "max_drawdown"))
    assert found.pop("max_drawdown") < -0.89
    assert found == evaluate(whole, 48, daily_and_monthly)
    weekly = ("weekly_var_95%", "weekly_var_99%_trad", "weekly_max_drawdown")
    assert evaluate(broken, 48, weekly) == evaluate(whole[: 48 * 28], 48, weekly)


@pytest.mark.parametrize("shape", LONG)
def test_a_constant_path_scores_zero(shape: SampleShape) -> None:
    bars_per_day = shape.bars_per_day
    metrics = evaluate(np.full(shape.n_bars, 1e6), bars_per_day)
    holdings = {name for name in NAMES if "hodl" in name or "vr" in name} | {"turnover", "fee_revenue_over_value"}
    for name in set(NAMES) - holdings:
        if name == "information_ratio":  # the benchmark moves
            continue
        one_bar_blocks = bars_per_day == 1 and name in {"daily_var_95%", "daily_var_99%", "daily_raroc", "daily_rovar"}
        assert math.isnan(metrics[name]) if one_bar_blocks else metrics[name] == 0.0, name


@pytest.mark.parametrize(("path", "sign"), [(64.0 + np.arange(N_DAYS), 1), (128.0 - np.arange(N_DAYS), -1)])
def test_a_path_that_only_rises_or_only_falls(path: np.ndarray, sign: int) -> None:
    metrics = evaluate(path, bars_per_day=1)
    no_risk = ("sortino", "daily_sortino", "calmar", "sterling", "annual_raroc", "annual_raroc_trad")
    for name in no_risk:
        assert math.copysign(1, metrics[name]) == sign
        assert math.isinf(metrics[name]) == (sign > 0), name
    assert math.isfinite(metrics["sharpe"])
    assert (metrics["max_drawdown"] == 0.0) == (sign > 0)


def test_zero_deviation_with_a_mean_is_infinite_and_the_default_objective_stays_finite() -> None:
    for growth, limit in [(2.0, math.inf), (0.5, -math.inf)]:  # powers of two: the deviation is exactly zero
        metrics = evaluate(growth ** np.arange(float(N_DAYS)), bars_per_day=1)
        assert metrics["sharpe"] == metrics["daily_sharpe"] == limit
        assert math.isfinite(metrics["daily_log_sharpe"])
        assert math.copysign(1, metrics["daily_log_sharpe"]) == math.copysign(1, limit)


def test_zero_value_at_risk_gives_infinity() -> None:
    # Rises in three jumps between days, else flat: the 5th percentile is zero.
    path = np.repeat([1.0, 2.0, 3.0, 4.0], [60, 60, 60, QUARTERS.n_bars - 180])
    metrics = evaluate(path, QUARTERS.bars_per_day)
    assert metrics["daily_var_95%"] == 0.0
    assert metrics["daily_raroc"] == metrics["annual_raroc"] == math.inf
    assert metrics["daily_rovar"] == 0.0
    assert evaluate(4.0 / path, QUARTERS.bars_per_day)["daily_raroc"] == -math.inf


def test_a_nan_in_the_path_is_not_hidden() -> None:
    path = random_path(QUARTERS.n_bars)
    path[100] = math.nan
    metrics = evaluate(path, bars_per_day=4)
    for name in ("sharpe", "daily_log_sharpe", "max_drawdown", "calmar", "ulcer", "daily_var_95%", "annual_raroc"):
        assert math.isnan(metrics[name]), name


# --- laws -------------------------------------------------------------------------------------------------------------

BARS_PER_DAY = 2
PATHS = hnp.arrays(
    np.float64, N_DAYS * BARS_PER_DAY, elements=st.floats(-0.2, 0.2, allow_subnormal=False), fill=st.just(0.0)
).map(lambda log_returns: np.exp(np.cumsum(log_returns)))
ROUNDING = 1e-14
LAWS = settings(deadline=None, max_examples=60)


@LAWS
@given(path=PATHS, exponent=st.integers(-40, 40))
def test_no_metric_depends_on_the_unit_of_value(path: np.ndarray, exponent: int) -> None:
    shape = SampleShape(len(path), BARS_PER_DAY)
    plain = compute_jit(NAMES, make_sample(path, BARS_PER_DAY), shape)
    scaled = compute_jit(NAMES, make_sample(path, BARS_PER_DAY, 2.0**exponent), shape)  # exact, so to the last bit
    for name in NAMES:
        np.testing.assert_array_equal(scaled[name], plain[name], err_msg=name)


@LAWS
@given(path=PATHS)
def test_no_metric_is_nan_and_orders_hold(path: np.ndarray) -> None:
    metrics = evaluate(path, BARS_PER_DAY)
    assert not any(math.isnan(value) for value in metrics.values())
    for milder in ("weekly_max_drawdown", "greatest_draw_down", "ulcer"):
        assert metrics["max_drawdown"] - ROUNDING <= metrics[milder] <= 0.0
    for label in ("daily", "weekly"):
        for suffix in ("", "_trad"):
            assert metrics[f"{label}_var_99%{suffix}"] <= metrics[f"{label}_var_95%{suffix}"] + ROUNDING
    assert np.sign(metrics["sharpe"]) == np.sign(metrics["sortino"])


@LAWS
@given(path=PATHS)
def test_daily_metrics_ignore_bars_inside_days(path: np.ndarray) -> None:
    daily = tuple(name for name in NAMES if Need.BARS not in get_metric(name).needs)
    wild = path.copy()
    wild[1:-1:BARS_PER_DAY] *= 3.0
    assert evaluate(path, BARS_PER_DAY, daily) == evaluate(wild, BARS_PER_DAY, daily)


# --- jit and vmap -----------------------------------------------------------------------------------------------------


def test_vmap_over_windows_compiles_once() -> None:
    traces = 0

    def all_metrics(sample: Sample) -> dict[str, jax.Array]:
        nonlocal traces
        traces += 1
        return compute(NAMES, sample, QUARTERS)

    batched = jax.jit(jax.vmap(all_metrics))
    for seeds in [(0, 1, 2), (3, 4, 5)]:
        paths = [random_path(QUARTERS.n_bars, seed) for seed in seeds]
        samples = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(make_sample(path, 4) for path in paths))
        metrics = batched(samples)
        for row, path in enumerate(paths):
            assert {name: float(metrics[name][row]) for name in NAMES} == pytest.approx(evaluate(path, 4), rel=1e-9)
    assert traces == 1
