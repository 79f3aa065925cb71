"""Arguments of compiled programs are made without compiling one."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from quantsim.device import device_array


def test_an_array_is_a_copy_and_compiles_nothing(caplog: pytest.LogCaptureFixture) -> None:
    values = np.arange(64 * 8.0).reshape(8, 64)  # some of its rows are where JAX could share the memory
    with jax.enable_x64(True), jax.log_compiles():
        arrays = [device_array(row) for row in values]
        found = device_array(np.ones((3, 1, 7)))
        assert "compil" not in caplog.text
        jnp.asarray(np.ones((5, 1, 9)))
        assert "XLA compilation" in caplog.text, "this test would see a compilation"
    values[:] = -1.0
    assert [float(array[0]) for array in arrays] == list(range(0, 512, 64))
    assert (found.shape, found.dtype) == ((3, 1, 7), np.float64)
