"""What maps evaluations: threads of this process; :mod:`~quantsim.drivers.search.clusters` has the others."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, Protocol, get_args

from quantsim.drivers.search.evaluation import Call, Evaluates, Result, run
from quantsim.errors import DriverError

__all__ = ["Backend", "Engine", "Threads", "check_backend"]

Backend = Literal["threads", "dask", "ray"]

_PACKAGES = {"dask": "distributed", "ray": "ray"}


class Engine(Protocol):
    """Maps evaluations. Which engine it is, and of how many workers, makes no difference to the results."""

    def map(self, calls: Sequence[Call]) -> Iterator[tuple[Result, ...]]:
        """The results of the calls, in their order, each as soon as it and all before it are known."""


def check_backend(backend: str, address: str | None) -> None:
    """Checks that workers can be run there, before anything takes long.

    Raises:
        DriverError: the backend is unknown or its package missing, it takes no address, or the address is not valid.
    """
    if backend not in get_args(Backend):
        raise DriverError(f"backend = {backend!r} must be one of {', '.join(get_args(Backend))}")
    if backend == "threads":
        if address is not None:
            raise DriverError(f"address = {address!r} is of a cluster: say which with backend = 'dask' or 'ray'")
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
    """Threads of this process, which share one compiled evaluator; JAX lets the others run while it computes."""

    def __init__(self, evaluator: Evaluates, n_threads: int) -> None:
        """With one thread, evaluations run in that of the caller, where Ctrl-C reaches them at once."""
        self._evaluator = evaluator
        self._pool = ThreadPoolExecutor(n_threads, "quantsim-evaluation") if n_threads > 1 else None
        self._compiled: set[tuple[int, bool]] = set()

    def map(self, calls: Sequence[Call]) -> Iterator[tuple[Result, ...]]:
        """See :class:`Engine`."""
        begun = 0
        for call in calls:
            kind = (call.width, call.block is not None)
            if self._pool is not None and kind in self._compiled:
                break
            yield run(self._evaluator, call)  # several threads would compile the program several times
            self._compiled.add(kind)
            begun += 1
        if self._pool is None:
            return
        futures = [self._pool.submit(run, self._evaluator, call) for call in calls[begun:]]
        try:
            for future in futures:
                yield future.result()
        finally:
            for future in futures:
                future.cancel()

    def close(self) -> None:
        """Waits for evaluations that have begun."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
