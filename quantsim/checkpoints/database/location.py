"""The location of a store: the path of a file, or the URL of a database. Mistyped URLs are errors."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from quantsim.checkpoints.redact import shown_url
from quantsim.errors import nearest

__all__ = ["file_of", "path_or_url", "read_location"]

_DATABASES = ("mariadb", "mysql", "postgresql", "sqlite")
_SCHEMES = (*_DATABASES, "postgres", "grpc", "http", "https", "mssql", "oracle", "redis")

# A word and a colon before the first slash, as in postgresql:/host; a single letter is a Windows drive.
_ALMOST_URL = re.compile(rf"([a-z][a-z0-9+.\-]+):/|({'|'.join(_SCHEMES)})(?:\+[a-z0-9_]+)?(?::|//)", re.IGNORECASE)


def read_location(location: str | os.PathLike[str], *, others: tuple[str, ...] = ()) -> Path | URL:
    """Parses a path, or the URL of a known database.

    Args:
        location: the user's input.
        others: further accepted schemes, which are not databases.

    Raises:
        ValueError: the location is empty, or a URL that is invalid, misspelt, or of an unknown database. The message does not
            show the password.
    """
    text = os.fspath(location)
    if not text.strip():
        raise ValueError("it is empty; give a path or a database URL")
    if "\0" in text:
        raise ValueError("it contains a zero byte; give a path or a database URL")
    if "://" not in text:
        if isinstance(location, str) and (found := _ALMOST_URL.match(text)):
            # Only the scheme is shown: the rest may contain a password.
            scheme = found[1] or found[2]
            raise ValueError(
                f"it starts like a URL, with {found[0]!r}, but is not one: write {scheme}://..., or ./ before a file name"
            )
        return Path(os.path.expanduser(text))
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        known = "".join(f", or {scheme}://host:port" for scheme in others)
        raise ValueError(f"its URL cannot be read; give dialect://user:password@host/name{known}") from None
    if url.get_backend_name() not in others:
        _check_dialect(url, others)
    return url


def file_of(location: Path | URL) -> Path | None:
    """Returns the path of the file, which may not exist yet; None for a server or a database in memory."""
    if isinstance(location, Path):
        return location
    inside = location.get_backend_name() == "sqlite" and location.database
    if not inside or str(location.database).startswith((":memory:", "file:")):
        return None
    return Path(str(location.database))


def path_or_url(location: str) -> str:
    """Returns the path of a file, which a URL of SQLite has with escapes such as ``%20``; other locations as they are."""
    with contextlib.suppress(ValueError):
        path = file_of(read_location(location))
        if path is not None:
            return str(path)
    return location.removeprefix("sqlite:///")


def _check_dialect(url: URL, others: tuple[str, ...]) -> None:
    backend = url.get_backend_name()
    try:
        url.get_dialect()
    except NoSuchModuleError:
        if backend in _DATABASES:
            return  # the driver is not installed; connecting reports it
        known = nearest(backend, (*_DATABASES, *others))
        raise ValueError(f"{shown_url(url)} names an unknown database: {known}") from None
    except ImportError:
        return  # as above
    if backend == "sqlite" and url.host:
        raise ValueError(f"{shown_url(url)} has two slashes, but needs three: sqlite:///FILE")
