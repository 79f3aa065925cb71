"""``quantsim dashboard``: Optuna's dashboard on the stored studies."""

from __future__ import annotations

import contextlib
import socketserver
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import typer

from quantsim.commands.options import DEFAULT_STORE, Storage, Store, Verbose
from quantsim.commands.session import note, say, study_storage
from quantsim.errors import DriverError

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

__all__ = ["dashboard"]

_LOOPBACK = ("127.0.0.1", "localhost")


def dashboard(
    storage: Storage = None,
    store: Store = DEFAULT_STORE,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any that is free.")] = 8080,
    verbose: Verbose = False,
) -> None:
    """Shows the Optuna studies in the browser, until Ctrl-C; also while they run.

    Pictures and study files of the best trials lie beside the storage, in NAME-artifacts, or, where that is a server, beside
    the checkpoint store.

    The dashboard has no password: whoever reaches the port can read, change and delete studies.
    """
    from quantsim.drivers.search.dashboard.artifacts import artifact_folder

    place = study_storage(storage, store)
    folder = artifact_folder(place, store)
    with _studies(place) as (opened, names), _server(_application(opened, folder), host, port) as server:
        if host not in _LOOPBACK:
            note(f"Note: the dashboard has no password, and listens on {host}: who reaches it can delete studies.")
        say(f"Studies: {', '.join(names)}")
        if folder is not None and folder.is_dir():
            say(f"Artifacts: {folder}")
        say(f"Dashboard: http://{host}:{server.server_port}/ (Ctrl-C ends it)")
        try:
            server.serve_forever()
        except KeyboardInterrupt as interrupt:
            interrupt.add_note("The dashboard is closed; the studies stay where they are.")
            raise


@contextlib.contextmanager
def _studies(place: str) -> Iterator[tuple[BaseStorage, list[str]]]:
    """The storage and the names of its studies, of which there must be one."""
    from quantsim.drivers.search.storage.opened import describe_storage, is_missing, opened_storage

    missing = DriverError(
        f"there is no study yet in {describe_storage(place)}: run `quantsim optuna` first, or say where it is with --storage "
        "(or --store)"
    )
    if is_missing(place):
        raise missing
    with opened_storage(place) as opened:
        names = [study.study_name for study in opened.get_all_studies()]
        if not names:
            raise missing
        yield opened, names


def _application(storage: BaseStorage, folder: Path | None) -> Any:
    """The dashboard; the folder of artifacts need not be there yet."""
    from quantsim.drivers.search.dashboard.artifacts import ArtifactFolder
    from quantsim.drivers.search.dashboard.shown import ShownApplication

    try:
        from optuna_dashboard import wsgi
    except ImportError as error:
        raise DriverError(
            "the dashboard is not installed: pip install 'quantsim[dashboard]' (or pip install optuna-dashboard)"
        ) from error
    application = wsgi(storage, artifact_store=None if folder is None else ArtifactFolder(folder))
    return ShownApplication(application, storage)


@contextlib.contextmanager
def _server(application: Any, host: str, port: int) -> Iterator[WSGIServer]:
    try:
        server = make_server(host, port, application, server_class=_Server, handler_class=_QuietHandler)
    except OSError as error:
        raise DriverError(
            f"cannot listen on {host}, port {port}: {error.strerror or error}; give another --port or --host"
        ) from error
    with server:
        yield server


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    """One thread per request, so that one slow page does not hold up the others."""

    daemon_threads = True


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: a line for each of a page's many requests helps nobody."""
