"""Dask and Ray as places for workers, by joblib's backends: a cluster there is, or one on this machine for the search alone."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import re
import socket
from collections.abc import Iterator
from typing import Any, Literal, get_args

import joblib

from quantsim.drivers.search.storage.opened import Location, describe_storage, is_file
from quantsim.errors import DriverError

__all__ = ["Backend", "check_backend", "joined_cluster"]

logger = logging.getLogger(__name__)

Backend = Literal["processes", "dask", "ray"]

TIMEOUT_S = 10.0  # for a scheduler to answer

_LOOPBACK = "127.0.0.1"
_PACKAGES = {"dask": "distributed", "ray": "ray"}
_RAY_OBJECT_BYTES = 256 * 2**20  # of the memory where Ray keeps what it sends: the prices, no more


def check_backend(backend: str, address: str | None, storage: Location) -> None:
    """Checks that workers can be run there, before anything takes long.

    Raises:
        DriverError: the backend is unknown or its package missing, it takes no address, or the address is not valid.
    """
    if backend not in get_args(Backend):
        raise DriverError(f"backend = {backend!r} must be one of {', '.join(get_args(Backend))}")
    if backend == "processes":
        if address is not None:
            raise DriverError(f"address = {address!r} is of a cluster: say which with backend = 'dask' or 'ray'")
        return
    if address is not None and not (_is_address(address) or (backend == "ray" and address == "auto")):
        raise DriverError(f"address = {address!r} must be HOST:PORT, such as 192.168.1.7:8786")
    package = _PACKAGES[backend]
    if importlib.util.find_spec(package) is None:
        raise DriverError(f"backend = {backend!r} needs the package {package}: pip install 'quantsim[{backend}]'")
    if address is not None and not _is_here(address) and is_file(storage):
        logger.warning(
            "the study is kept in the file %s, which the machines of %s must reach under the same path and lock; a database "
            "(postgresql://...) is what several machines need",
            describe_storage(storage),
            address,
        )


@contextlib.contextmanager
def joined_cluster(backend: str, address: str | None, n_workers: int | None) -> Iterator[int]:
    """Has joblib run on a cluster while the block runs, and yields how many workers there shall be.

    Without an address, a cluster is started that listens on this machine's loopback alone, and ended with the block.

    Args:
        backend: ``dask`` or ``ray``.
        address: of its scheduler or head node, ``host:port``.
        n_workers: how many; unless given, as many as the cluster there is has places for.

    Raises:
        DriverError: it cannot be reached.
    """
    with _dask(address, n_workers) if backend == "dask" else _ray(address, n_workers) as found:
        yield found


@contextlib.contextmanager
def _dask(address: str | None, n_workers: int | None) -> Iterator[int]:
    from distributed import Client, LocalCluster

    with contextlib.ExitStack() as stack:
        if address is None:
            n_workers = n_workers or 1
            place = stack.enter_context(
                LocalCluster(n_workers=n_workers, threads_per_worker=1, host=_LOOPBACK, dashboard_address=None)
            )
        else:
            place = address
        try:
            client = stack.enter_context(Client(place, timeout=TIMEOUT_S, set_as_default=False))
        except OSError as error:
            raise DriverError(f"no Dask scheduler answers at {address}: {error}") from error
        found = n_workers or sum(client.ncores().values())
        if not found:
            raise DriverError(f"the Dask cluster at {address} has no workers; start some with `dask worker {address}`")
        with joblib.parallel_config(backend="dask", client=client, n_jobs=found):
            yield found


@contextlib.contextmanager
def _ray(address: str | None, n_workers: int | None) -> Iterator[int]:
    # The first keeps Ray from reporting to its makers. The second, read when Ray is imported, has it take the loopback for
    # the address of this machine, on any system; whatever address it is given, its servers would listen on all of them.
    local = {} if address is not None else {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
    with _environment(RAY_USAGE_STATS_ENABLED="0", **local):
        import ray
        from ray.util.joblib import register_ray

        started = not ray.is_initialized()
        if started:
            _init_ray(address, n_workers or 1)
    try:
        register_ray()
        found = n_workers or int(ray.cluster_resources().get("CPU", 0))
        with joblib.parallel_config(backend="ray", n_jobs=found):
            yield found
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


def _is_address(text: str) -> bool:
    found = re.fullmatch(r"(?:[a-z]+://)?(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})", text)
    return found is not None and 0 < int(found[1]) < 2**16


def _is_here(address: str) -> bool:
    host = address.rpartition("://")[2].rpartition(":")[0].strip("[]")
    return host in ("localhost", _LOOPBACK, "::1", socket.gethostname())
