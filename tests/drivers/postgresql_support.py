"""A PostgreSQL server of a test's own: on loopback, on a free port, in a temporary folder."""

from __future__ import annotations

import contextlib
import getpass
import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

USER, PASSWORD = "ann", "hunter2"


@dataclass
class Server:
    """A running server."""

    binaries: Path
    data: Path
    port: int
    prefix: tuple[str, ...]

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def control(self, *arguments: str) -> None:
        command = [str(self.binaries / "pg_ctl"), "-D", str(self.data), "-w", "-l", str(self.data / "log"), *arguments]
        subprocess.run([*self.prefix, *command], check=True, capture_output=True, timeout=60, cwd=self.data)

    def start(self) -> None:
        options = f"-c listen_addresses=127.0.0.1 -p {self.port} -c unix_socket_directories='' -c fsync=off"
        self.control("start", "-o", options)

    def stop(self) -> None:
        self.control("stop", "-m", "immediate")


@contextlib.contextmanager
def server() -> Iterator[Server]:
    """Starts a server; skips the test, with the reason, where that cannot be done."""
    if importlib.util.find_spec("psycopg") is None:
        pytest.skip("psycopg is not installed (the extra postgresql)")
    binaries = _binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL server: initdb is neither on the PATH nor in /usr/lib/postgresql/*/bin")
    user = _unprivileged() if os.geteuid() == 0 else getpass.getuser()
    if user is None:
        pytest.skip("PostgreSQL does not run as root, and there is neither a user postgres nor nobody, or no setpriv")
    with tempfile.TemporaryDirectory(prefix="quantsim-pg-") as folder:
        data = Path(folder) / "data"
        data.mkdir(mode=0o700)
        password = Path(folder) / "password"
        password.write_text(PASSWORD)
        prefix: tuple[str, ...] = ()
        if os.geteuid() == 0:
            for path in (Path(folder), data, password):
                shutil.chown(path, user)
            number, group = pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid
            prefix = ("setpriv", f"--reuid={number}", f"--regid={group}", "--clear-groups")
        found = Server(binaries, data, _free_port(), prefix)
        initdb = [str(binaries / "initdb"), "-D", str(data), "-U", USER, f"--pwfile={password}", "-A", "scram-sha-256"]
        subprocess.run([*prefix, *initdb, "--no-sync"], check=True, capture_output=True, timeout=60, cwd=folder)
        found.start()
        try:
            yield found
        finally:
            with contextlib.suppress(subprocess.CalledProcessError):
                found.stop()


def _binaries() -> Path | None:
    on_path = shutil.which("initdb")
    if on_path is not None and shutil.which("pg_ctl") is not None:
        return Path(on_path).parent
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    return installed[-1].parent if installed else None


def _unprivileged() -> str | None:
    names = {entry.pw_name for entry in pwd.getpwall()}
    if shutil.which("setpriv") is None:
        return None
    return next((name for name in ("postgres", "nobody") if name in names), None)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
