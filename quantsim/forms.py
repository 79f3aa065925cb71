"""Which form a recursion takes: one step after another, which a CPU does fastest, or as an associative scan.

An accelerator does a long scan of tiny steps thousands of times slower than it could; composing the steps pairwise takes
``log2`` of their number rounds instead. Both forms compute the same: every kernel that has two is tested for that.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator
from typing import Literal

import jax

__all__ = ["Form", "form", "use_form"]

Form = Literal["sequential", "associative"]

_chosen: contextvars.ContextVar[Form | None] = contextvars.ContextVar("quantsim_form", default=None)


def form() -> Form:
    """The form that suits the backend, or the one that :func:`use_form` asks for; read while a program is traced."""
    wanted = _chosen.get()
    if wanted is not None:
        return wanted
    return "sequential" if jax.default_backend() == "cpu" else "associative"


@contextlib.contextmanager
def use_form(wanted: Form) -> Iterator[None]:
    """Has programs that are traced inside take one form. Those compiled before keep theirs, so they are forgotten."""
    token = _chosen.set(wanted)
    _forget()
    try:
        yield
    finally:
        _chosen.reset(token)
        _forget()


def _forget() -> None:
    jax.clear_caches()  # type: ignore[no-untyped-call]
