"""A MariaDB server of a test's own: on loopback, on a free port, in a temporary folder."""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from server_support import PASSWORD, USER, free_port, place

DATABASE = "studies"

_START_SECONDS = 30.0
_TABLES = ("mysql_system_tables.sql", "mysql_system_tables_data.sql")

# What is committed outlives the server's own end, not the machine's: nothing waits for the disk. Snapshots are as strict as
# newer servers have them by default.
_OPTIONS = (
    "--skip-name-resolve",
    "--innodb-log-file-size=8M",
    "--innodb-buffer-pool-size=32M",
    "--innodb-flush-log-at-trx-commit=2",
    "--loose-innodb-snapshot-isolation=ON",
)


@dataclass
class Server:
    """A server with one user, who may do all, and one database; texts in it are latin1 unless a table says otherwise."""

    command: tuple[str, ...]
    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    def url(self, database: str = DATABASE, dialect: str = "mysql") -> str:
        return f"{dialect}://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, cwd=self.folder)
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                self.run("select 1")
                return
            except OSError as error:  # nobody listens yet
                if self.process.poll() is not None or time.monotonic() > deadline:
                    log_text = (self.folder / "log").read_text(errors="replace")
                    raise RuntimeError(f"the server did not start:\n{log_text}") from error
            time.sleep(0.05)

    def stop(self, *, at_once: bool = True) -> None:
        """Ends the server, in the middle of whatever it does unless ``at_once`` is false."""
        if self.process is not None:
            self.process.kill() if at_once else self.process.terminate()
            self.process.wait(timeout=60)

    def run(self, *statements: str, database: str = DATABASE) -> list[tuple[Any, ...]]:
        """Runs statements past everything under test; returns the rows of the last one."""
        import pymysql

        options = {"host": "127.0.0.1", "port": self.port, "user": USER, "password": PASSWORD, "database": database}
        try:
            connection = pymysql.connect(**options, autocommit=True)
        except pymysql.OperationalError as error:
            raise ConnectionError(str(error)) from error
        with connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())


@contextlib.contextmanager
def server() -> Iterator[Server]:
    """Starts a server; skips the test, with the reason, where that cannot be done."""
    if importlib.util.find_spec("pymysql") is None:
        pytest.skip("pymysql is not installed (the extra mysql)")
    program = shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin:/usr/libexec:/usr/local/sbin")
    if program is None:
        pytest.skip("no MariaDB server: mariadbd is neither on the PATH nor in /usr/sbin")
    tables = Path(program).parents[1] / "share" / "mysql"
    if not all((tables / name).is_file() for name in _TABLES):
        pytest.skip(f"the system tables of the MariaDB server are not in {tables}")
    with place("MariaDB", "mysql", "nobody") as found:
        data = found.own(_folder(found.folder / "data"))
        base = (*found.prefix, program, "--no-defaults", f"--datadir={data}", *_OPTIONS)
        system = "".join((tables / name).read_text(encoding="utf-8") for name in _TABLES)
        subprocess.run(
            [*base, "--bootstrap"],
            input=f"create database mysql;\nuse mysql;\n{system}".encode(),
            check=True,
            capture_output=True,
            timeout=60,
            cwd=found.folder,
        )
        at_start = found.folder / "start.sql"
        at_start.write_text(
            f"create user if not exists {USER}@'127.0.0.1' identified by '{PASSWORD}';\n"
            f"grant all on *.* to {USER}@'127.0.0.1';\ncreate database if not exists {DATABASE};\n"
        )
        port = free_port()
        listening = ("--bind-address=127.0.0.1", f"--port={port}", "--socket=", f"--pid-file={data / 'pid'}")
        server = Server((*base, *listening, f"--init-file={at_start}"), found.folder, port)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _folder(path: Path) -> Path:
    path.mkdir(mode=0o700)
    return path
