"""What database servers do not have in common: the driver that a URL means, and the errors that pass by themselves."""

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
"""Backend → the package that SQLAlchemy takes unless told, the one that our extra installs, and that extra."""

MYSQL_CONTENTION = frozenset({1020, 1205, 1213, 1412})
"""Codes of MySQL and MariaDB that mean another transaction: a row or table changed meanwhile, a lock wait, a deadlock."""

MYSQL_AWAY = frozenset(
    {0, 2002, 2003, 2005, 2006, 2012, 2013, 2014, 2027, 2045, 2055}  # the client's own: no connection, or a lost one
    | {1040, 1053, 1152, 1158, 1159, 1160, 1161, 1203, 1226}  # too busy, shutting down, cut off by the network
    | {1290, 1317, 1792, 1836, 1927, 4031}  # read-only while another server takes over; query or connection killed
)
"""Codes that mean a server which is not there, or will not have us, for a while."""

MYSQL_CUT_OFF = frozenset({1153, 2006, 2013})
"""Codes of a connection that ended while something was sent, which a server also does with what is too much for it."""


def with_driver(url: URL) -> URL:
    """The URL with the driver of an extra, where it names none and SQLAlchemy's own choice is not installed.

    MariaDB is reached as MySQL: what is written for either serves both, which SQLAlchemy tells apart when it connects.

    Raises:
        ModuleNotFoundError: neither is installed; its text begins with the package, and says how to get it.
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
    """The number that a driver of MySQL gives its error; None if the error is of another kind."""
    arguments = getattr(error, "args", ())
    return arguments[0] if arguments and isinstance(arguments[0], int) else None
