"""Each check of a pool catches one that breaks its law, and names the law."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from quantsim.errors import ConfigError
from quantsim.pools import get_pool
from quantsim.testing import ConformanceError, check_all, check_pool

MINE = """
import jax, jax.numpy as jnp
from quantsim.parameters import ParameterSpec
from quantsim.parameters.spec import LOGISTIC
from quantsim.pools import Path, Pool, ReserveRun

share = ParameterSpec("logit_share", "share", "", "of the first token", LOGISTIC, 0.6, 0.1, 0.9)


def run(setup, params, market, rates, window):
    prices, x, V = window.cut(market.prices), params["logit_share"][0], setup.initial_value
    first = jax.nn.sigmoid(x)
    weights = jnp.stack([first, 1.0 - first])
    held, more = jnp.broadcast_to(V * weights / prices[0], prices.shape), {}
    # here
    return ReserveRun(held, prices, **more)


kind = {"charges": ("swap_fee",), "n_tokens": 2, "paths": PATHS, "follows_schedule": True, "fixed_curve": {}}
mine = Pool("mine", "for a test", run, parameters=(share,), **kind)
"""
PATHS = "{Path.FEES: None}"
BROKEN = {
    "an exception": ("raise KeyError('oh')", "run", "fails with KeyError: 'oh'"),
    "single precision": ("held = held.astype('float32')", "shape and type", "reserves_at returns float32"),
    "one row less": (
        "more = {'value': jnp.sum(held * prices, axis=1)[1:]}",
        "shape and type",
        r"of shape \(35,\), and must",
    ),
    "nan": ("held = held.at[9].set(jnp.nan)", "finite", "is not finite"),
    "too much at first": ("held = 1.1 * held", "initial value", "worth 1.1 times setup.initial_value"),
    "a value of its own": (
        "more = {'value': V * prices[:, 0] / prices[0, 0]}",
        "value",
        "value_at is not the value of reserves_at",
    ),
    "weights that are none": ("more = {'weights': jnp.ones(2)}", "simplex", "does not sum to 1"),
    "a negative weight": ("more = {'weights': jnp.array([1.5, -0.5])}", "simplex", "weights_at is -0.5"),
    "fees of nothing": ("more = {'earned': jnp.ones(36)}", "fees", "the setup has no costs"),
    "fees that are paid out": ("more = {'earned': -jnp.ones(36)}", "fees", "must not be negative"),
    "prices to come": (
        "held = held * jnp.where(prices[:1] > prices.mean(axis=0), jnp.arange(36)[:, None] * 0.01 + 1, 1)",
        "no look-ahead",
        "when prices after bar",
    ),
    "new parameters as a new pool": (
        "held = held if window.schedule is None else held * jnp.where(jnp.arange(36) > 10, 1.1, 1)[: len(prices), None]",
        "schedule",
        "when a schedule repeats the same parameters",
    ),
    "the length of the window": (
        "held = held * (1 + 0.01 * jnp.arange(len(prices)) / len(prices))[:, None]",
        "no look-ahead",
        "with the window's length, 36 and 21 bars",
    ),
    "the scan mode": (
        "held = held * jnp.where(jnp.arange(len(prices)) > 0, 1 + (setup.scan_mode != 'sequential'), 1)[:, None]",
        "scan modes",
        "with the scan mode",
    ),
    "a size that matters": (
        "held = held * jnp.where(jnp.arange(len(prices)) > 0, 1 + (V > 2e6), 1)[:, None]",
        "units",
        "8 times as large",
    ),
    "an invariant that falls": (
        "more['log'] = lambda self, bars: -0.01 * jnp.asarray(bars, float)\n"
        "    return type('Falling', (ReserveRun,), {'log_invariant_at': more['log']})(held, prices)",
        "invariant",
        "log_invariant_at falls by 0.01",
    ),
    "a round trip that earns": (
        "held = held * (1 - 1e-3 * jnp.arange(len(prices)))[:, None]",
        "no round trip earns",
        "loses 0.034 of its value on a round trip of prices",
    ),
    "one numeraire": (
        "held = held * (1 + 0.1 * jnp.square(prices[:, :1] / prices[0, 0] - 1))",
        "numeraire",
        "holds other tokens if prices are quoted in another unit",
    ),
    "a stopped gradient": (
        "w = jax.lax.stop_gradient(weights); held = jnp.broadcast_to(V * w / prices[0], prices.shape)",
        "gradients",
        "finite differences",
    ),
}


def written(folder: Path, line: str = "", paths: str = PATHS) -> str:
    (folder / "mine.py").write_text(MINE.replace("# here", line).replace("PATHS", f"lambda setup, every_bar: {paths}"))
    return f"{folder / 'mine.py'}:mine"


@pytest.mark.parametrize("broken", BROKEN)
def test_a_pool_that_breaks_a_law_is_an_error_that_names_it(broken: str, tmp_path: Path) -> None:
    line, law, said = BROKEN[broken]
    with pytest.raises(ConformanceError, match=said) as caught:
        check_pool(written(tmp_path, line))
    assert caught.value.law == law
    assert "pool 'mine' with no fees" in str(caught.value)


def test_paths_that_disagree_are_told(tmp_path: Path) -> None:
    slip = "held = held.at[1:].multiply(1.0 + 1e-6 * (window.path is Path.PER_BAR))"
    with pytest.raises(ConformanceError, match=r"paths: pool 'mine'.*, path 'fees': .* differ by 1"):
        check_pool(written(tmp_path, slip, "{Path.PER_BAR: None, Path.FEES: None}"))
    with pytest.raises(ConformanceError, match=r"paths: pool 'mine' .*has no path for metrics that read every bar"):
        check_pool(written(tmp_path, "", "{Path.FEES: 'closed' if every_bar else None}"))


def test_a_sound_pool_is_left_alone(tmp_path: Path) -> None:
    assert check_all(written(tmp_path)) == ("pool 'mine'",)
    with pytest.raises(ConfigError, match="gas_cost_usd"):
        check_pool(written(tmp_path), fees={"gas_cost_usd": 1.0})


def test_a_pool_is_given_by_its_name_or_as_an_object() -> None:
    hold = get_pool("hold")
    check_pool(hold)
    with pytest.raises(ConformanceError, match="pool 'hold'"):
        check_pool(replace(hold, description=""))
