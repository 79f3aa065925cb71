"""Gradients against finite differences, away from kinks.

For each parameter, all outputs are computed at ``x`` and at ``x ± h d``, with a random direction ``d``. An output has a kink or
a jump there if its slopes to the left and to the right differ by more than a thousandth of the larger one; those of a smooth
function differ by about ``h f''``. The other outputs are summed with random weights, and the gradient of that sum along ``d``
is compared with the central difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import numpy as np
from jax import Array
from numpy.typing import NDArray

from quantsim.array_types import FloatArray
from quantsim.testing.laws import require

__all__ = ["NOTHING", "Differentiated", "check_finite_gradient", "check_gradients"]


_STEP = 1e-6  # relative to parameters of order 1 and more
_KINK = 1e-3  # how far slopes to the left and to the right of a smooth function may differ
_CLOSE = 1e-4  # how far a gradient may differ from the finite difference
_ROUNDING = 1e-13  # of an output
NOTHING = 1e-12
"""Slopes below this count as zero; rounding leaves them where outputs cancel."""

LAW = "gradients"


class Differentiated:
    """A function of named arrays, and the gradient of a weighted sum of its outputs, in one compiled program.

    Attributes:
        n_traces: number of times that the function was traced: 1 if all calls have arrays of one shape.
    """

    def __init__(self, function: Callable[..., Array]) -> None:
        """Wraps ``function(params, *rest)``, which returns one array."""
        self.n_traces = 0

        def both(params: dict[str, Array], seen: Array, *rest: Any) -> tuple[Array, dict[str, Array]]:
            self.n_traces += 1
            outputs, pull = jax.vjp(lambda inside: function(inside, *rest), params)
            return outputs, pull(seen)[0]

        self._program = jax.jit(both)

    def __call__(
        self, params: Mapping[str, FloatArray], seen: FloatArray, *rest: Any
    ) -> tuple[FloatArray, dict[str, FloatArray]]:
        """Returns outputs, and the gradient of ``Σ seen · outputs`` with respect to each parameter."""
        outputs, gradient = self._program(dict(params), seen, *rest)
        return np.asarray(outputs), {name: np.asarray(part) for name, part in gradient.items()}


def check_gradients(
    called: str,
    program: Differentiated,
    params: Mapping[str, FloatArray],
    names: Iterable[str],
    looked_at: NDArray[np.bool_],
    *rest: Any,
) -> None:
    """Checks that gradients are finite and agree with finite differences.

    Args:
        called: name for messages.
        program: the function.
        params: parameters at which gradients are compared.
        names: names of the parameters to move.
        looked_at: which outputs count, in their shape.
        rest: further arguments of the program.

    Raises:
        ConformanceError: a gradient is not finite, or differs.
    """
    generator = np.random.default_rng(5)
    weights = generator.standard_normal(looked_at.shape) * looked_at
    outputs, gradient = program(params, weights, *rest)
    check_finite_gradient(called, gradient, "random prices")
    for name in names:
        direction = generator.choice([-1.0, 1.0]) * generator.uniform(0.5, 1.0, np.shape(params[name]))
        step = _STEP * max(1.0, float(np.abs(params[name]).max(initial=0.0)))
        sides = [
            program({**params, name: params[name] + sign * step * direction}, weights, *rest)[0] for sign in (1.0, -1.0)
        ]
        with np.errstate(invalid="ignore"):  # what is not looked at may be nan
            right, left = (sides[0] - outputs) / step, (outputs - sides[1]) / step
            rounding = _ROUNDING * (np.abs(outputs) + np.median(np.abs(outputs[looked_at]))) / step
            smooth = np.abs(right - left) <= _KINK * np.maximum(np.abs(right), np.abs(left)) + rounding
        seen = np.where(smooth, weights, 0.0)
        require(
            bool(seen.any()),
            LAW,
            f"every output of {called} has a kink or a jump in {name}, so there is no gradient to follow: smooth it, or set "
            "trainable=False in the parameter's spec",
        )
        wanted = np.where(seen != 0.0, seen * (right + left) / 2, 0.0)
        found = float(program(params, seen, *rest)[1][name].ravel() @ direction.ravel())
        allowed = (
            NOTHING * np.abs(seen).sum()
            + _CLOSE * np.abs(wanted).sum()
            + np.abs(seen * np.where(seen != 0.0, rounding, 0.0)).sum()
        )
        require(
            abs(found - wanted.sum()) <= allowed,
            LAW,
            f"the gradient of {called} with respect to {name} is {found:.6g} along a direction in which finite differences of "
            f"{step:.1g} find {wanted.sum():.6g}: look for jax.lax.stop_gradient, or a custom derivative that is wrong",
        )


def check_finite_gradient(called: str, gradient: Mapping[str, FloatArray], where: str) -> None:
    """Raises :class:`ConformanceError` where a part of a gradient is not finite."""
    for name, part in gradient.items():
        wrong = part[~np.isfinite(part)]
        require(
            not wrong.size,
            LAW,
            f"the gradient of {called} with respect to {name} has {wrong[:1]} in it at {where}, and must be finite: where a "
            "branch of jnp.where divides by zero, or takes a root or a power below 1 of it, replace the argument inside the "
            "branch, too",
        )
