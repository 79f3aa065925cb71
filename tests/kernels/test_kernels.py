"""Kernels inside JAX's programs: lanes over threads, errors, and what happens where there are none."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from quantsim import scan_mode
from quantsim.environment import kernel_cache
from quantsim.kernels import MOST_KERNELS, Kernel, are_available, kernel, machine_code, table
from quantsim.pools.market import FeeRates
from quantsim.pools.weighted.fee_kernels import fee_kernels, kernel_pass
from quantsim.threads import thread_count

N_BARS = 400
RATES = FeeRates(*(jnp.asarray(rate) for rate in (0.003, 0.0, 0.0, 0.0, 0.0, 0.0)))


def inputs(n_sets: int, n_windows: int = 1) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Initial log reserves (W, 2), log prices (W, T, 2), and weights of every set and window (S, W, T, 2)."""
    generator = np.random.default_rng(3)
    prices = np.cumsum(generator.normal(0.0, 0.004, (n_windows, N_BARS, 2)), axis=1)
    first = 0.5 + 0.3 * np.sin(np.arange(N_BARS) / 50 + generator.uniform(0, 6, (n_sets, n_windows, 1)))
    weights = np.stack([first, 1.0 - first], axis=-1)
    return jnp.asarray(np.full((n_windows, 2), 6.0)), jnp.asarray(prices), jnp.asarray(weights)


def run(initial: jax.Array, prices: jax.Array, weights: jax.Array) -> tuple[jax.Array, jax.Array]:
    return kernel_pass(initial, prices, weights, RATES)


OF_WINDOWS = jax.vmap(run)
OF_SETS = jax.jit(jax.vmap(OF_WINDOWS, (None, None, 0)))
ONE = jax.jit(run)


def test_lanes_of_nested_maps_are_those_of_single_calls() -> None:
    initial, prices, weights = inputs(3, 4)
    path, volume = OF_SETS(initial, prices, weights)
    assert path.shape == (3, 4, N_BARS, 2)
    assert (volume > 0).any(axis=-1).all()
    for of_set, of_window in np.ndindex(3, 4):
        alone = ONE(initial[of_window], prices[of_window], weights[of_set, of_window])
        np.testing.assert_array_equal(path[of_set, of_window], alone[0])
        np.testing.assert_array_equal(volume[of_set, of_window], alone[1])


def test_a_loop_inside_a_program_calls_it_again_and_again() -> None:
    initial, prices, weights = inputs(1)
    wanted, _ = ONE(initial[0], prices[0], weights[0, 0])

    @jax.jit
    def repeated(start: jax.Array) -> jax.Array:
        return jax.lax.fori_loop(0, 20, lambda _, path: run(path[0], prices[0], weights[0, 0])[0], start)

    np.testing.assert_array_equal(repeated(jnp.broadcast_to(initial[0], (N_BARS, 2))), wanted)


@pytest.fixture
def set_threads() -> Any:
    """A function that sets the number of threads."""
    assert are_available()
    yield lambda number: table.set_entry(table.THREADS, number)
    table.set_entry(table.THREADS, thread_count())


@pytest.mark.parametrize("n_threads", [1, 2, 16])
def test_the_number_of_threads_does_not_change_results(set_threads: Any, n_threads: int) -> None:
    given = inputs(16)
    set_threads(1)
    wanted, _ = OF_SETS(*given)
    set_threads(n_threads)
    np.testing.assert_array_equal(OF_SETS(*given)[0], wanted)


def test_eight_callers_at_once_finish(set_threads: Any) -> None:
    """More callers than threads in XLA's pool, each of which offers more tasks than there are threads."""
    set_threads(8)
    given = inputs(24)
    wanted, _ = OF_SETS(*given)
    begin = threading.Barrier(8)

    def call(_: int) -> list[jax.Array]:
        begin.wait()
        return [OF_SETS(*given)[0] for _ in range(40)]

    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(call, range(8), timeout=60):
            for path in found:
                np.testing.assert_array_equal(path, wanted)


def test_no_lanes() -> None:
    initial, prices, weights = inputs(1)
    assert OF_SETS(initial, prices, weights[:0])[0].shape == (0, 1, N_BARS, 2)


def test_single_precision_is_an_error() -> None:
    given = [array.astype(jnp.float32) for array in inputs(1)]
    with pytest.raises(jax.errors.JaxRuntimeError, match="float64"):
        jax.block_until_ready(OF_SETS(*given))


def test_an_unknown_kernel_is_an_error() -> None:
    result = jax.ShapeDtypeStruct((2,), jnp.float64)
    call = jax.ffi.ffi_call("quantsim_kernel", result)
    with pytest.raises(jax.errors.JaxRuntimeError, match="not compiled in this process"):
        jax.block_until_ready(jax.jit(lambda: call(jnp.ones(2), kernel=np.int64(15)))())


def test_a_number_names_one_kernel() -> None:
    Kernel(14, "quantsim.kernels", "nothing", 1)
    for number in (14, MOST_KERNELS, -1):
        with pytest.raises(ValueError, match="unique and less than 16"):
            Kernel(number, "quantsim.kernels", "nothing", 1)


def test_a_program_waits_for_a_kernel_that_is_being_compiled() -> None:
    initial, prices, weights = inputs(1)
    given = initial[0], prices[0], weights[0, 0]
    wanted, _ = ONE(*given)
    entry = table.KERNELS + fee_kernels(2)[0].number
    address = table._table[entry]
    table.set_entry(entry, table.COMPILING)
    late = threading.Timer(0.1, table.set_entry, (entry, address))
    late.start()
    found, _ = ONE(*given)
    np.testing.assert_array_equal(found, wanted)
    assert table._table[entry] == address
    late.join()


def test_a_kernel_that_fails_to_compile_late_is_an_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    absent = Kernel(13, "quantsim.kernels.lanes", "absent", 1)
    result = jax.ShapeDtypeStruct((2,), jnp.float64)
    monkeypatch.setattr(machine_code, "is_pending", lambda _: True)
    program = jax.jit(lambda: absent([result], jnp.ones(2)))
    with pytest.raises(jax.errors.JaxRuntimeError, match="not compiled in this process"):
        jax.block_until_ready(program())
    assert "absent of quantsim.kernels.lanes cannot be compiled: AttributeError" in caplog.text
    monkeypatch.setattr(machine_code, "is_pending", lambda _: False)
    with pytest.raises(AttributeError, match="absent"):  # where it is not late
        absent([result], jnp.ones(2))


def test_compiled_code_is_kept_for_the_next_process() -> None:
    ONE(*(array[0] for array in inputs(1)[:2]), inputs(1)[2][0, 0])
    assert any(kernel_cache().rglob("*.o"))


def test_where_xla_refuses_the_handler_loops_take_over(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse() -> None:
        raise RuntimeError("unsupported version 0.3 of the interface")

    monkeypatch.setattr(kernel, "_register", refuse)
    assert not are_available.__wrapped__()
    assert "not available" in caplog.text
    assert "unsupported version 0.3" in caplog.text
    monkeypatch.setattr(scan_mode, "are_available", lambda: False)
    assert scan_mode.backend_scan_mode() == "sequential"
