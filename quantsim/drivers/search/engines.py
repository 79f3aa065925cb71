"""Engines, which map evaluations: threads of this process, or the clusters of :mod:`~quantsim.drivers.search.clusters`."""

from __future__ import annotations

import functools
import importlib.util
import re
import warnings
from collections.abc import Iterator, Sequence
from typing import Literal, Protocol, get_args

from joblib import Parallel, delayed

from quantsim.drivers.search.evaluation import Call, Evaluates, Result, run
from quantsim.errors import DriverError

__all__ = ["Backend", "Engine", "Threads", "check_backend"]

Backend = Literal["threads", "dask", "ray"]

_PACKAGES = {"dask": "distributed", "ray": "ray"}


class Engine(Protocol):
    """Maps evaluations. Results do not depend on the engine or on its number of workers."""

    def map(self, calls: Sequence[Call]) -> Iterator[tuple[Result, ...]]:
        """Yields the results of the calls, in order, as soon as each and all earlier ones are known."""


def check_backend(backend: str, address: str | None) -> None:
    """Checks a backend and its address. Connects to nothing.

    Raises:
        DriverError: the backend is unknown, its package is missing, it takes no address, or the address is invalid.
    """
    if backend not in get_args(Backend):
        raise DriverError(f"backend = {backend!r} must be one of {', '.join(get_args(Backend))}")
    if backend == "threads":
        if address is not None:
            raise DriverError(f"address = {address!r} needs a cluster: set backend = 'dask' or 'ray'")
        return
    if address is not None and not (_is_address(address) or (backend == "ray" and address == "auto")):
        raise DriverError(f"address = {address!r} must be HOST:PORT, such as 192.168.1.7:8786")
    package = _PACKAGES[backend]
    if importlib.util.find_spec(package) is None:
        raise DriverError(f"backend = {backend!r} needs the package {package}: pip install 'quantsim[{backend}]'")


def _is_address(text: str) -> bool:
    found = re.fullmatch(r"(?:[a-z]+://)?(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})", text)
    return found is not None and 0 < int(found[1]) < 2**16


class Threads:
    """Threads of this process, which share one compiled evaluator. They run in parallel, because JAX releases the GIL."""

    def __init__(self, evaluator: Evaluates, n_threads: int) -> None:
        """With one thread, evaluations run in the thread of the caller, where Ctrl-C interrupts them at once."""
        self._evaluate = functools.partial(run, evaluator)
        self._parallel = Parallel(n_threads, "threading", "generator", batch_size=1, pre_dispatch="all")
        self._compiled: set[tuple[int, bool]] = set()

    def map(self, calls: Sequence[Call]) -> Iterator[tuple[Result, ...]]:
        """See :class:`Engine`. The first call of each kind runs alone, so that its program is compiled once."""
        first = 0
        if calls and (kind := (calls[0].width, calls[0].block is not None)) not in self._compiled:
            yield self._evaluate(calls[0])
            self._compiled.add(kind)
            first = 1
        results = self._parallel(delayed(self._evaluate)(call) for call in calls[first:])
        try:
            for found in results:  # noqa: UP028 - "yield from" would close them outside of the block below
                yield found
        finally:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # about unread results, for example after an interrupt
                results.close()
