"""Engines, which map evaluations: threads of this process, or the clusters of :mod:`~quantsim.drivers.search.clusters`."""

from __future__ import annotations

import functools
import importlib.util
import itertools
import re
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Literal, Protocol, get_args

from quantsim.drivers.search.evaluation import Call, Evaluates, Result, run
from quantsim.errors import DriverError

__all__ = ["Backend", "Engine", "Threads", "check_backend"]

Backend = Literal["threads", "dask", "ray"]

_WAITING = 2  # calls that wait for a thread, so that none is idle while results are stored

_PACKAGES = {"dask": "distributed", "ray": "ray"}


class Engine(Protocol):
    """Maps evaluations. Results do not depend on the engine or on its number of workers."""

    def map(self, calls: Iterable[Call]) -> Iterator[tuple[Result, ...]]:
        """Yields the results of the calls, in order, as soon as each and all earlier ones are known.

        Calls are taken while earlier ones are evaluated, so an iterator may do work of its own for each.
        """


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
        """Makes a pool of threads. The thread of the caller asks for trials and stores them while the pool evaluates others.

        Args:
            evaluator: evaluates the calls.
            n_threads: number of threads of the pool, at least one.
        """
        self._evaluate = functools.partial(run, evaluator)
        self._n_threads = n_threads
        self._pool = ThreadPoolExecutor(n_threads)  # starts threads when it needs them
        self._compiled: set[tuple[int, bool]] = set()

    def map(self, calls: Iterable[Call]) -> Iterator[tuple[Result, ...]]:
        """See :class:`Engine`. The first call of each kind runs alone, so that its program is compiled once."""
        left = iter(calls)
        for call in left:
            kind = (call.width, call.block is not None)
            if kind in self._compiled:
                yield from self._spread(itertools.chain([call], left))
                return
            yield self._evaluate(call)
            self._compiled.add(kind)

    def _spread(self, calls: Iterator[Call]) -> Iterator[tuple[Result, ...]]:
        """Yields the results of the calls, which the threads evaluate. A call is taken while few wait for a thread."""
        pending: deque[Future[tuple[Result, ...]]] = deque()
        try:
            while True:
                running = [future for future in pending if not future.done()]
                if len(running) < self._n_threads + _WAITING and (call := next(calls, None)) is not None:
                    pending.append(self._pool.submit(self._evaluate, call))
                elif not pending:
                    return
                elif pending[0].done():
                    yield pending.popleft().result()
                else:
                    wait(running, return_when=FIRST_COMPLETED)
        finally:
            for future in pending:
                future.cancel()

    def close(self) -> None:
        """Ends the threads. Calls that are being evaluated are not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)
