"""A PostgreSQL server of a test's own: on loopback, on a free port, in a temporary folder."""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from server_support import PASSWORD, USER, free_port, place


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
    with place("PostgreSQL", "postgres", "nobody") as found:
        data, password = found.folder / "data", found.folder / "password"
        data.mkdir(mode=0o700)
        password.write_text(PASSWORD)
        found.own(data)
        found.own(password)
        server = Server(binaries, data, free_port(), found.prefix)
        initdb = [str(binaries / "initdb"), "-D", str(data), "-U", USER, f"--pwfile={password}", "-A", "scram-sha-256"]
        subprocess.run(
            [*found.prefix, *initdb, "--no-sync"], check=True, capture_output=True, timeout=60, cwd=found.folder
        )
        server.start()
        try:
            yield server
        finally:
            with contextlib.suppress(subprocess.CalledProcessError):
                server.stop()


def _binaries() -> Path | None:
    on_path = shutil.which("initdb")
    if on_path is not None and shutil.which("pg_ctl") is not None:
        return Path(on_path).parent
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    return installed[-1].parent if installed else None
