"""Writes the prices of a token as a file that :func:`quantsim.prices.load_prices` reads."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from quantsim.errors import PriceError, reason_of
from quantsim.prices.align import RegularSeries
from quantsim.prices.files import is_price_file, stem_of
from quantsim.prices.names import stands_for

__all__ = ["check_folder", "check_token", "note_of", "path_for", "write_prices"]

_NOTE = b"quantsim"  # key of the metadata of the file


def path_for(token: str, folder: Path) -> Path:
    """Returns the file of a token in a folder of prices."""
    return folder / f"{token}.parquet"


def check_folder(folder: Path) -> None:
    """Raises PriceError if a folder of prices can neither be written to nor be made."""
    try:
        place = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
        writable = place.is_dir() and os.access(place, os.W_OK)
    except OSError as error:
        raise PriceError(f"the folder {folder} cannot be made: {reason_of(error)}") from error
    if not writable:
        reason = "is not writable" if place.is_dir() else "is not a folder"
        raise PriceError(f"prices cannot be written to {folder}: {place} {reason}; choose another one")


def check_token(token: str, folder: Path, *, overwrite: bool) -> None:
    """Raises PriceError if a folder has a file of the token already, or if the token cannot name a file."""
    if not token.isprintable() or token.startswith(".") or any(mark in token for mark in '/\\:*?"<>|'):
        raise PriceError(f"{token!r} cannot be the name of a file; name the token with --token (in Python token=)")
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        own = path == path_for(token, folder)
        if is_price_file(path) and stands_for(stem_of(path), token) and not (own and overwrite):
            remedy = "replace it with --overwrite (in Python overwrite=True), or " if own else "move it away, or "
            raise PriceError(f"{path} holds prices of {token} already: {remedy}write to another folder")


def note_of(path: Path) -> dict[str, Any]:
    """Returns the note of a file of :func:`write_prices`; empty if it has none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        note = json.loads((pq.read_schema(path).metadata or {}).get(_NOTE, b"{}"))
    except (OSError, ValueError, pa.ArrowException) as error:
        raise PriceError(f"{path} cannot be read: {reason_of(error)}") from error
    return note if isinstance(note, dict) else {}


def write_prices(series: RegularSeries, folder: Path, note: Mapping[str, Any] | None = None) -> Path:
    """Writes a token's prices as Parquet, with columns ``close_time`` (UTC, the end of the bar) and ``close``.

    A missing bar has no row. The file replaces an existing one at once, when it is complete.

    Args:
        series: the prices, with NaN at missing bars.
        folder: the folder, which is made if needed.
        note: JSON values to store in the file beside the prices.

    Raises:
        PriceError: the file cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    there = ~np.isnan(series.prices)
    times = series.grid.times()[there].astype("datetime64[ms]")
    columns = {"close_time": pa.array(times, pa.timestamp("ms", "UTC")), "close": pa.array(series.prices[there])}
    metadata = None if note is None else {_NOTE: json.dumps(dict(note))}
    path = path_for(series.token, folder)
    partial = path.with_name(f".{path.name}.part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(columns, metadata=metadata), partial, compression="zstd")
        partial.replace(path)
    except (OSError, pa.ArrowException) as error:
        partial.unlink(missing_ok=True)
        raise PriceError(f"{path} cannot be written: {reason_of(error)}") from error
    return path
