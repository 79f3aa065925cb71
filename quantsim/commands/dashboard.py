"""``quantsim dashboard``: Optuna's dashboard for the stored studies."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from quantsim.commands.options import DEFAULT_STORE, Json, Quiet, Storage, Store, Verbose
from quantsim.commands.output import note, print_json, say
from quantsim.commands.session import open_existing_store, study_storage
from quantsim.errors import DriverError

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

    from quantsim.checkpoints import CheckpointStore

__all__ = ["dashboard"]


def dashboard(
    storage: Storage = None,
    store: Store = DEFAULT_STORE,
    host: Annotated[
        str, typer.Option(help="Address to listen on; only requests for this host are answered. 0.0.0.0 for any.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any free port.")] = 8080,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Shows the Optuna studies and the curves of gradient training in the browser until Ctrl-C, also while they run.

    Pictures and study files of the best trials are next to the storage, in NAME-artifacts. If the storage is on a server, they
    are next to the checkpoint store.

    The dashboard has no password: everybody who can reach the port can read, change and delete studies. It only answers
    requests for its own host, so pages of other sites cannot use it.
    """
    from quantsim.dashboard.artifacts import artifact_folder
    from quantsim.dashboard.hosts import is_loopback, url_host
    from quantsim.dashboard.server import dashboard_server

    if not host.strip():
        raise DriverError("--host is empty: use 127.0.0.1 for this machine only, or 0.0.0.0 for all that can reach it")
    place = study_storage(storage, store)
    folder = artifact_folder(place, store)
    runs = _gradient_runs(store)
    with (
        _studies(place, needed=runs is None) as (opened, names),
        runs or contextlib.nullcontext(),
        dashboard_server(opened, folder, host, port, runs) as server,
    ):
        if not is_loopback(host):
            note(f"Note: the dashboard has no password and listens on {host}: all who can reach it can delete studies.")
        say(f"Studies: {', '.join(names) or 'none yet'}")
        if folder is not None and folder.is_dir():
            say(f"Artifacts: {folder}")
        url = f"http://{url_host(host)}:{server.server_port}/"
        say(f"Dashboard: {url} (Ctrl-C ends it)")
        training = None if runs is None else f"{url}training"
        if training is not None:
            say(f"Gradient training: {training}")
        if as_json:
            artifacts = None if folder is None else str(folder)
            print_json({"url": url, "studies": names, "artifacts": artifacts, "training": training})
        try:
            server.serve_forever()
        except KeyboardInterrupt as interrupt:
            interrupt.add_note("The dashboard is closed. The studies are still stored.")
            raise


def _gradient_runs(location: str) -> CheckpointStore | None:
    """Opens the checkpoint store if it has gradient runs."""
    from quantsim.dashboard.training import trained_runs
    from quantsim.errors import CheckpointError

    try:
        store = open_existing_store(location)
    except CheckpointError:
        return None  # the studies are shown without it
    if trained_runs(store):
        return store
    store.close()
    return None


@contextlib.contextmanager
def _studies(place: str, *, needed: bool) -> Iterator[tuple[BaseStorage, list[str]]]:
    """Opens the storage, and yields it with the names of its studies; at least one if it is needed."""
    from quantsim.storages.location import describe_storage, is_missing
    from quantsim.storages.opened import opened_storage

    missing = DriverError(
        f"there is no study yet in {describe_storage(place)}: run `quantsim optuna` first, or name another storage with "
        "--storage (or --store)"
    )
    if needed and is_missing(place):
        raise missing
    with opened_storage(place) as opened:
        names = [study.study_name for study in opened.get_all_studies()]
        if needed and not names:
            raise missing
        yield opened, names
