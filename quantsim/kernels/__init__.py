"""Compiled kernels for sequential computations on the CPU.

XLA runs a loop of many tiny steps at about 90 ns a step, even if a step does little. A compiled loop takes a third of that, and
its lanes run on several threads. A kernel is a plain function that numba compiles. XLA calls it through its foreign
function interface, so it works inside ``jit``, inside compiled loops and under ``vmap``, without copies.
"""

from quantsim.kernels.kernel import MOST_KERNELS, Kernel, are_available, compile_ahead, result_like

__all__ = ["MOST_KERNELS", "Kernel", "are_available", "compile_ahead", "result_like"]
