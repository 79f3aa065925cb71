"""Differences between database servers: the driver for a URL, and the codes of temporary errors."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import URL

__all__ = ["MYSQL_AWAY", "MYSQL_CONTENTION", "MYSQL_CUT_OFF", "mysql_code", "with_driver"]

_DRIVERS = {
    "postgresql": ("psycopg2", "psycopg", "postgresql"),
    "mysql": ("MySQLdb", "pymysql", "mysql"),
}
"""Backend → the package that SQLAlchemy uses by default, the package of our extra, and the name of the extra."""

MYSQL_CONTENTION = frozenset({1020, 1205, 1213, 1412})
"""Error codes of MySQL and MariaDB for conflicts with another transaction: a changed row or table, a lock wait, a deadlock."""

MYSQL_AWAY = frozenset(
    {0, 2002, 2003, 2005, 2006, 2012, 2013, 2014, 2027, 2045, 2055}  # of the client: no connection, or a lost one
    | {1040, 1053, 1152, 1158, 1159, 1160, 1161, 1203, 1226}  # too busy, shutting down, cut off by the network
    | {1290, 1317, 1792, 1836, 1927, 4031}  # read-only while another server takes over; query or connection killed
)
"""Error codes of a server that is temporarily unavailable."""

MYSQL_CUT_OFF = frozenset({1153, 2006, 2013})
"""Error codes of a connection that was lost while sending, which also happens if the data is too large."""


def with_driver(url: URL) -> URL:
    """Returns the URL with the driver of our extra, if it names none and SQLAlchemy's default is not installed.

    MariaDB is treated as MySQL. SQLAlchemy distinguishes them when it connects.

    Raises:
        ModuleNotFoundError: neither driver is installed; the text starts with the package, and says how to install it.
    """
    backend, _, driver = url.drivername.partition("+")
    if backend == "mariadb":
        backend = "mysql"
        url = url.set(drivername=f"{backend}+{driver}" if driver else backend)
    if backend not in _DRIVERS:
        return url
    usual, ours, extra = _DRIVERS[backend]
    if not driver:
        if importlib.util.find_spec(usual) is not None:
            return url
        driver = ours
        url = url.set(drivername=f"{backend}+{driver}")
    if driver == ours and importlib.util.find_spec(ours) is None:
        raise ModuleNotFoundError(f"the package {ours}: pip install 'quantsim[{extra}]'")
    return url


def mysql_code(error: object) -> int | None:
    """Returns the error code of a MySQL driver; None for other errors."""
    arguments = getattr(error, "args", ())
    return arguments[0] if arguments and isinstance(arguments[0], int) else None
