"""The server of the dashboard: Optuna's application with corrected answers, for requests for its own host only."""

from __future__ import annotations

import contextlib
import socket
import socketserver
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from quantsim.dashboard.artifacts import ArtifactFolder
from quantsim.dashboard.corrected import CorrectedApplication
from quantsim.dashboard.hosts import HostCheck
from quantsim.dashboard.training import TrainingPages
from quantsim.errors import DriverError, reason_of

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

    from quantsim.checkpoints import CheckpointStore

__all__ = ["dashboard_server"]


@contextlib.contextmanager
def dashboard_server(
    storage: BaseStorage, folder: Path | None, host: str, port: int, store: CheckpointStore | None = None
) -> Iterator[WSGIServer]:
    """Binds a server to its port, and closes it at the end of the block; ``serve_forever()`` answers requests.

    Args:
        storage: storage of the studies to show.
        folder: folder of their artifacts, which may not exist yet; None for none.
        host: name or address to listen on; requests must be for this host.
        port: port; 0 for any free one.
        store: checkpoint store whose gradient runs have pages of their own; None for none.

    Raises:
        DriverError: the dashboard is not installed, or the server cannot listen there.
    """
    try:
        from optuna_dashboard import wsgi
    except ImportError as error:
        raise DriverError(
            "the dashboard is not installed: pip install 'quantsim[dashboard]' (or pip install optuna-dashboard)"
        ) from error
    shown = wsgi(storage, artifact_store=None if folder is None else ArtifactFolder(folder))
    pages: Any = CorrectedApplication(shown, storage)
    if store is not None:
        pages = TrainingPages(pages, store)
    application = HostCheck(pages, host)
    try:
        family = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0][0]
        kind = _Server if family == socket.AF_INET else _Server6
        server = make_server(host.strip("[]"), port, application, server_class=kind, handler_class=_QuietHandler)
    except (OSError, UnicodeError) as error:
        raise DriverError(
            f"cannot listen on {host}, port {port}: {reason_of(error)}; give another --port or --host"
        ) from error
    with server:
        yield server


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    """One thread per request, so that a slow page does not delay the others."""

    daemon_threads = True


class _Server6(_Server):
    address_family = socket.AF_INET6


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Logs nothing: a page makes many requests."""
