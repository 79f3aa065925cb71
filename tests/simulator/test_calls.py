"""Many parameter sets: cut into calls of one program, which run on all threads; results do not depend on how many there are."""

from __future__ import annotations

import functools
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from pool_support import FEES, HALF_HOURS, make_experiment, random_params, random_prices, stacked

from quantsim import Evaluator
from quantsim.errors import ConfigError, ParameterError
from quantsim.memory import memory_budget
from quantsim.pools.market import market
from quantsim.simulator import Variation, VariedPool, evaluate_starts, evaluate_variations
from quantsim.simulator.calls import cut, run_calls

Counting = Callable[[], AbstractContextManager[list[str]]]
METRICS = ("returns", "daily_log_sharpe", "turnover")
N_SETS, WIDTH = 10, 4

LAYOUT = HALF_HOURS
TWO_GIGABYTES = {"QUANTSIM_MEMORY": "2"}


@functools.cache
def evaluator_of(fees: str) -> Evaluator:
    return Evaluator(make_experiment("momentum", 2, LAYOUT, fees=FEES[fees]), random_prices(LAYOUT, 2, 0))


@functools.cache
def sets_of(fees: str) -> dict[str, np.ndarray]:
    return stacked(evaluator_of(fees), *(random_params("momentum", LAYOUT, 2, seed) for seed in range(N_SETS)))


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls of few sets, and settings that the environment may have."""
    monkeypatch.setattr("quantsim.simulator.calls._MOST_LANES", WIDTH)
    for name in ("QUANTSIM_THREADS", "QUANTSIM_MEMORY"):
        monkeypatch.delenv(name, raising=False)


def same(one: Any, other: Any) -> bool:
    return all(
        np.array_equal(values, other[split][name], equal_nan=True)
        for split, table in one.items()
        for name, values in table.items()
    )


def test_lanes_are_cut_into_calls_of_equal_width() -> None:
    def lists(n_lanes: int, width: int) -> list[list[int]]:
        return [call.tolist() for call in cut(n_lanes, width)]

    assert lists(9, 4) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 8, 8, 8]]
    assert lists(8, 4) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert lists(3, 4) == [[0, 1, 2, 2]]
    assert lists(3, 1) == [[0], [1], [2]]
    assert lists(5, 32) == [[0, 1, 2, 3, 4, 4, 4, 4]]
    assert lists(1, 32) == [[0]]
    assert lists(0, 32) == [[]]


def test_only_gradients_through_every_bar_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    first, n_bars = evaluator_of("fee").splits["train"]
    free, charged = (evaluator_of(fees).objective([first], n_bars, metric="returns") for fees in ("zero", "fee"))
    assert free.sets_per_call(1) > 10**6
    monkeypatch.setattr("quantsim.simulator.calls._MOST_VALUES_OF_GRADIENTS", 5 * charged.plan.n_values)
    assert [charged.sets_per_call(n_windows) for n_windows in (1, 2, 5, 100)] == [4, 2, 1, 1]


@pytest.mark.parametrize("fees", ["zero", "fee"])
def test_the_number_of_threads_and_the_memory_change_no_bit(
    fees: str, monkeypatch: pytest.MonkeyPatch, compilations: Counting
) -> None:
    evaluator, sets, found = evaluator_of(fees), sets_of(fees), []
    assert evaluator.sets_per_call == WIDTH
    evaluator.evaluate_many({name: values[:WIDTH] for name, values in sets.items()}, METRICS)
    with compilations() as compiled:
        for threads, memory in (("1", "2"), ("3", "2"), ("3", "1e-9")):
            monkeypatch.setenv("QUANTSIM_THREADS", threads)
            monkeypatch.setenv("QUANTSIM_MEMORY", memory)
            found.append(evaluator.evaluate_many(sets, METRICS))
    assert compiled == []  # one program for all calls, also for the last one, which is not full
    assert same(found[0], found[1])
    assert same(found[0], found[2])
    assert found[0]["train"]["returns"].shape == (N_SETS,)
    assert len(set(found[0]["train"]["returns"])) == N_SETS


def test_prices_are_prepared_in_pieces_whatever_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    prices, found = random_prices(LAYOUT, 2, 0).prices, []
    monkeypatch.setattr("quantsim.pools.market._ROWS", 100)
    for threads in ("1", "3"):
        monkeypatch.setenv("QUANTSIM_THREADS", threads)
        found.append(market(prices))
    for one, other in zip(*(jax.tree.leaves(each) for each in found), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_allclose(found[0].log_prices, np.log(prices / prices[0]), rtol=1e-14, atol=1e-16)


@pytest.mark.parametrize("fees", ["zero", "fee"])
def test_eight_callers_at_once_get_what_one_gets(fees: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUANTSIM_THREADS", "2")
    evaluator, sets = evaluator_of(fees), sets_of(fees)
    callers = threading.Barrier(8)

    def call(index: int) -> Any:
        moved = {name: np.roll(values, index, axis=0) for name, values in sets.items()}
        callers.wait(60)
        return evaluator.evaluate_many(moved, METRICS)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(call, range(8)))
    alone = evaluator.evaluate_many(sets, METRICS)
    for index, tables in enumerate(found):
        rolled = {split: {name: np.roll(row, -index) for name, row in table.items()} for split, table in tables.items()}
        assert same(alone, rolled)


@functools.partial(jax.jit, static_argnums=0)
def power(exponent: int, values: jax.Array) -> jax.Array:
    return values**exponent


def float64(values: np.ndarray) -> np.ndarray:
    assert isinstance(values, np.ndarray)
    return values.astype(np.float64)


def test_calls_overlap_as_far_as_threads_and_memory_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    def most_at_once(threads: str, memory: str) -> int:
        running, most, lock = 0, 0, threading.Lock()
        arrived = threading.Event()

        def arguments(number: int) -> tuple[Any, ...]:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
                if running == 3:
                    arrived.set()
            if number:
                arrived.wait(0.02)
            with lock:
                running -= 1
            return (2, jnp.full(4, float(number)))

        monkeypatch.setenv("QUANTSIM_THREADS", threads)
        monkeypatch.setenv("QUANTSIM_MEMORY", memory)
        results = list(run_calls(power, arguments, 6, float64))
        assert [result[0] for result in results] == [0.0, 1.0, 4.0, 9.0, 16.0, 25.0]
        return most

    assert most_at_once("3", "1") == 3
    assert most_at_once("1", "1") == 1
    assert most_at_once("3", "1e-9") == 1  # one byte


def test_an_interrupt_drops_the_calls_that_have_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUANTSIM_THREADS", "2")
    begun: list[int] = []
    interrupted = threading.Event()

    def arguments(number: int) -> tuple[Any, ...]:
        begun.append(number)
        if number == 1:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        if number:
            interrupted.wait(0.1)
        return (2, jnp.ones(4))

    with pytest.raises(KeyboardInterrupt):
        for _ in run_calls(power, arguments, 100, float64):
            pass
    assert len(begun) < 20


def test_an_error_of_a_call_is_raised() -> None:
    def arguments(number: int) -> tuple[Any, ...]:
        if number == 2:
            raise ConfigError("the third call")
        return (2, jnp.ones(4))

    with pytest.raises(ConfigError, match="the third call"):
        list(run_calls(power, arguments, 50, float64))


def test_sets_of_different_numbers_are_refused() -> None:
    sets = sets_of("zero")
    first = min(sets)
    with pytest.raises(ParameterError, match=f"has 3 sets, but {first} has 10"):
        evaluator_of("zero").evaluate_many({**sets, "log_k": sets["log_k"][:3]}, METRICS)


def test_settings_are_checked_before_anything_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("QUANTSIM_THREADS", "QUANTSIM_MEMORY"):
        with monkeypatch.context() as patch:
            patch.setenv(name, "many")
            with pytest.raises(ConfigError, match=f"{name} = 'many'"):
                Evaluator(make_experiment("momentum", 2, LAYOUT), random_prices(LAYOUT, 2, 0))


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "4GB", "1e9"])
def test_a_budget_that_is_no_number_of_gigabytes_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"QUANTSIM_MEMORY = .* must be a positive number of gigabytes"):
        memory_budget({"QUANTSIM_MEMORY": text})


def test_half_of_the_memory_is_the_default_budget() -> None:
    assert memory_budget(TWO_GIGABYTES) == 2 * 10**9
    assert 10**8 < memory_budget({}) == memory_budget({"QUANTSIM_MEMORY": ""})
    if hasattr(os, "sysconf"):
        assert memory_budget({}) == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def test_variations_and_starts_do_not_depend_on_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    evaluator = evaluator_of("fee")
    prices = np.asarray(evaluator.market.prices)
    raw = {name: values[0] for name, values in sets_of("fee").items()}
    pools = {"set": VariedPool(evaluator.setup, raw)}
    first, n_bars = evaluator.splits["train"]
    starts = first + evaluator.chunk_bars * np.arange(6)

    def draw(index: int) -> Variation:
        return Variation(prices=prices * np.exp(0.001 * np.random.default_rng(index).standard_normal(prices.shape)))

    found = []
    for threads in ("1", "3"):
        monkeypatch.setenv("QUANTSIM_THREADS", threads)
        done: list[int] = []
        found.append(
            {
                **evaluate_variations(evaluator, pools, draw, 9, METRICS, advance=done.append)["set"],
                "starts": evaluate_starts(evaluator, pools, starts, n_bars - 6 * evaluator.chunk_bars, METRICS)["set"],
            }
        )
        assert done == [4, 8, 9]
    assert same(*found)
    one = evaluate_variations(evaluator, pools, lambda _: draw(8), 1, METRICS)["set"]
    for name in METRICS:
        assert one["train"][name][0] == found[0]["train"][name][8]
        assert found[0]["starts"][name].shape == (6,)
        alone = evaluator.evaluate_at(raw, starts[5:], n_bars - 6 * evaluator.chunk_bars, METRICS)
        assert found[0]["starts"][name][5] == pytest.approx(alone[name][0], rel=1e-10, abs=1e-13)
