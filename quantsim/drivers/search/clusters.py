"""Engines on Dask and Ray clusters: an existing cluster, or a local one that is started for the search.

The cluster stores the arguments of the evaluator, and each worker makes its own evaluator once. If a worker is killed, the
cluster gives its calls to another one. Calls are submitted to Dask and Ray directly. joblib's backends (1.6) run calls in the
process of the driver if only one worker is left, and do not repeat the calls of a Ray worker that died.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import os
import pickle
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from quantsim.config import Experiment
from quantsim.drivers.search.engines import Engine
from quantsim.drivers.search.evaluation import Call, Evaluates, MakeEvaluator, Result, run
from quantsim.errors import DriverError
from quantsim.prices import Prices

__all__ = ["cluster_engine"]

logger = logging.getLogger(__name__)

Results = tuple[Result, ...]
Submit = Callable[[Call], Callable[[], Results]]
"""Submits a call to a cluster, and returns a function that waits for its results."""

TIMEOUT_S = 10.0  # for a scheduler to answer

_LOOPBACK = "127.0.0.1"
_RAY_OBJECT_BYTES = 256 * 2**20  # Ray's object store holds only the prices
_RETRIES = 3  # of a call whose worker died, as in Dask
_KEPT = 2  # evaluators per worker: for a search that ends, and for the next one
_DEADLY = "its evaluation ended every worker that tried it, by a signal or for lack of memory"
_DEATHS = {
    "distributed": ("KilledWorker",),
    "ray": ("WorkerCrashedError", "NodeDiedError", "OutOfMemoryError"),
}
"""Package → its exceptions that mean that every worker that ran a call died."""


@contextlib.contextmanager
def cluster_engine(
    backend: str,
    address: str | None,
    n_workers: int | None,
    parts: tuple[MakeEvaluator, Experiment, Prices, Mapping[str, Any] | None],
) -> Iterator[Engine]:
    """Opens an engine on a cluster for the length of the block.

    Args:
        backend: ``dask`` or ``ray``.
        address: address of the scheduler or head node, ``host:port``; by default, a cluster is started that listens only on
            this machine's loopback, and is stopped at the end of the block.
        n_workers: number of workers of a cluster that is started; default 1.
        parts: function that makes an evaluator, and its arguments; every worker calls it.

    Raises:
        DriverError: the cluster cannot be reached.
    """
    data = pickle.dumps(parts)
    join = _dask if backend == "dask" else _ray
    with join(address, n_workers or 1, hashlib.sha256(data).hexdigest(), data) as submit:
        yield _Cluster(submit)


class _Cluster:
    """Maps evaluations over the workers of a cluster."""

    def __init__(self, submit: Submit) -> None:
        self._submit = submit

    def map(self, calls: Iterable[Call]) -> Iterator[Results]:
        """See :class:`~quantsim.drivers.search.engines.Engine`."""
        waiting = [(call, self._submit(call)) for call in calls]
        while waiting:
            call, results = waiting.pop(0)
            if (found := _unless_dead(results)) is not None:
                yield found
                continue
            # A call that only waited at a worker may fail with the one that ended it, so each is tried alone.
            others = [(other, _unless_dead(later)) for other, later in waiting]
            waiting = []
            yield self._alone(call)
            for other, known in others:
                yield self._alone(other) if known is None else known

    def _alone(self, call: Call) -> Results:
        """Evaluates every set by itself, while nothing else runs."""
        return tuple(
            (_unless_dead(self._submit(replace(call, sets=(params,)))) or (Result(error=_DEADLY),))[0]
            for params in call.sets
        )


def _unless_dead(results: Callable[[], Results]) -> Results | None:
    """Returns the results; None if every worker that ran the call died."""
    try:
        return results()
    except Exception as error:
        if _is_death(error):
            return None
        raise


def _is_death(error: BaseException) -> bool:
    return any(kind.__name__ in _DEATHS.get(kind.__module__.partition(".")[0], ()) for kind in type(error).__mro__)


@contextlib.contextmanager
def _dask(address: str | None, n_workers: int, key: str, data: bytes) -> Iterator[Submit]:
    from distributed import Client, LocalCluster

    with contextlib.ExitStack() as stack:
        place: Any = address
        if address is None:
            place = stack.enter_context(
                LocalCluster(n_workers=n_workers, threads_per_worker=1, host=_LOOPBACK, dashboard_address=None)
            )
        try:
            client = stack.enter_context(Client(place, timeout=TIMEOUT_S, set_as_default=False))
        except OSError as error:
            raise DriverError(f"no Dask scheduler answers at {address}: {error}") from error
        if not client.ncores():
            raise DriverError(f"the Dask cluster at {address} has no workers; start some with `dask worker {address}`")
        # Workers that join later, such as the replacement of a killed one, get it, too.
        client.register_plugin(_parts_plugin(key, data), name=key)
        stack.callback(client.unregister_worker_plugin, name=key)
        yield lambda call: client.submit(run_remote, key, call, pure=False).result


def _parts_plugin(key: str, data: bytes) -> Any:
    """Returns the plugin that Dask sets up on every worker."""
    from distributed import WorkerPlugin

    class Parts(WorkerPlugin):  # type: ignore[misc]
        def setup(self, worker: Any) -> None:
            keep_parts(key, data)

    return Parts()


@contextlib.contextmanager
def _ray(address: str | None, n_workers: int, key: str, data: bytes) -> Iterator[Submit]:
    # The first variable turns off Ray's usage reports. Ray reads the second one on import; it makes Ray use the loopback as the
    # address of this machine. Otherwise its servers would listen on all addresses.
    local = {} if address is not None else {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
    with _environment(RAY_USAGE_STATS_ENABLED="0", **local):
        import ray

        started = not ray.is_initialized()
        if started:
            _init_ray(address, n_workers)
    try:
        remote, kept = ray.remote(max_retries=_RETRIES)(run_remote), ray.put(data)
        yield lambda call: functools.partial(ray.get, remote.remote(key, call, kept))
    finally:
        if started:
            ray.shutdown()


def _init_ray(address: str | None, n_workers: int) -> None:
    import ray

    quiet: dict[str, Any] = {"logging_level": logging.WARNING, "log_to_driver": False}
    if address is None:
        ray.init(
            address="local",
            num_cpus=n_workers,
            include_dashboard=False,
            object_store_memory=_RAY_OBJECT_BYTES,
            _node_ip_address=_LOOPBACK,
            **quiet,
        )
        return
    try:
        ray.init(address=address, **quiet)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise DriverError(f"no Ray cluster answers at {address}: {error}") from error


@contextlib.contextmanager
def _environment(**values: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


_parts: dict[str, bytes] = {}  # arguments that this worker has, by their hash
_evaluators: OrderedDict[str, Evaluates] = OrderedDict()  # evaluators that it has made, by the same hash
_making = threading.Lock()  # a worker may have several threads


def keep_parts(key: str, data: bytes) -> None:
    """Stores the arguments of an evaluator in this worker."""
    _parts[key] = data


def run_remote(key: str, call: Call, data: bytes | None = None) -> Results:
    """Calls :func:`~quantsim.drivers.search.evaluation.run` in a worker, which makes the evaluator on the first call.

    Args:
        key: hash of the evaluator's arguments.
        call: the call.
        data: the arguments, pickled; None if the cluster has stored them in the worker.
    """
    with _making:
        if key not in _evaluators:
            made = pickle.loads(_parts[key] if data is None else data)  # noqa: S301 - sent by the driver
            make_evaluator, *others = made
            _evaluators[key] = make_evaluator(*others)
        _evaluators.move_to_end(key)
        while len(_evaluators) > _KEPT:
            _evaluators.popitem(last=False)
        evaluator = _evaluators[key]
    return run(evaluator, call)
