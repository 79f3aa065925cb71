"""Reads CSV, Parquet and Feather files, plain or compressed, as named columns. Columns are read on demand."""

from __future__ import annotations

import codecs
import gzip
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from quantsim.errors import PriceError, reason_of
from quantsim.prices.header import Header, is_value, parse_header
from quantsim.prices.instants import row_text
from quantsim.prices.names import is_index_name

__all__ = ["KINDS", "Sheet", "is_price_file", "member_of", "open_sheet", "stem_of"]

_SUFFIXES = (".parquet", ".feather", ".csv.gz", ".csv.zip", ".csv", ".zip")
KINDS = f"{', '.join(('.csv', '.csv.gz', '.zip', '.feather'))} or .parquet"
"""The suffixes of price files, for messages."""

_PROBE_BYTES = 2**18
_MOST_BYTES = 4 * 2**30  # of an uncompressed CSV file: ten times the size of ten years of minutes of one token
_MOST_UNPACKED_BYTES = 2**30  # of the content of a compressed file, which is held in memory
_BLOCK_BYTES = 2**31 - 1  # the largest that pyarrow takes
_MAGIC = {b"PK\x03\x04": ".zip", b"\x1f\x8b": ".csv.gz", b"PAR1": ".parquet", b"ARROW1": ".feather"}
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

_FAULTS = (OSError, ValueError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)

Use = Literal["number", "time", "text"]


@dataclass(frozen=True, eq=False)
class Sheet:
    """The columns of one file.

    Attributes:
        path: the file.
        names: column names, stripped; ``""`` for a column without a name.
        labels: tickers of the columns, from a second header line; empty if there is none.
        assumed: whether the file has no header line and its names come from a recognised format.
        index: position of an unnamed column that holds the times of the rows; None if there is none.
    """

    path: Path
    names: tuple[str, ...]
    labels: tuple[str, ...] = ()
    assumed: bool = False
    index: int | None = None

    def is_text(self, position: int) -> bool:
        """Whether a column holds text."""
        raise NotImplementedError

    def read(self, uses: Mapping[int, Use]) -> list[Any]:
        """Reads columns as pyarrow arrays, in the given order.

        Args:
            uses: position → what the column is used for.

        Raises:
            PriceError: the file cannot be read.
        """
        raise NotImplementedError


def is_price_file(path: Path) -> bool:
    """Whether a file has the suffix of a price file."""
    return path.name.lower().endswith(_SUFFIXES)


def stem_of(path: Path) -> str:
    """Returns the name of a price file without its suffixes: ``BTC`` for ``BTC.csv.gz``."""
    return next((path.name[: -len(suffix)] for suffix in _SUFFIXES if path.name.lower().endswith(suffix)), path.stem)


def open_sheet(path: Path) -> Sheet:
    """Opens a price file and reads the names of its columns.

    Raises:
        PriceError: the path is a folder, the file cannot be read, or its content does not match its suffix.
    """
    import pyarrow as pa

    if path.is_dir():
        raise PriceError(f"{path} is a folder, not a file; put the file itself there, or name the folder as the source")
    if not path.is_file():
        raise PriceError(f"{path} is not a readable file: it is a broken link or a device")
    try:
        if path.name.lower().endswith((".parquet", ".feather")):
            return _open_arrow(path)
        return _open_csv(path)
    except PriceError:
        raise
    except (*_FAULTS, pa.ArrowException) as error:
        raise _unreadable(path, error) from error
    except MemoryError as error:
        raise PriceError(f"{path} does not fit into memory; keep the columns time and close only") from error


def _unreadable(path: Path, error: Exception) -> PriceError:
    return PriceError(f"{path} cannot be read: {reason_of(error)}")


# Parquet and Feather


@dataclass(frozen=True, eq=False)
class _ArrowSheet(Sheet):
    schema: Any = None

    def is_text(self, position: int) -> bool:
        import pyarrow as pa

        kind = self.schema.field(position).type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))

    def read(self, uses: Mapping[int, Use]) -> list[Any]:
        import pyarrow as pa

        names = [self.schema.field(position).name for position in uses]
        try:
            table = self._table(names)
            table.validate(full=True)
        except (OSError, ValueError, pa.ArrowException) as error:
            raise _unreadable(self.path, error) from error
        return [_plain(table.column(name)) for name in names]

    def _table(self, names: list[str]) -> Any:
        if self.path.name.lower().endswith(".parquet"):
            import pyarrow.parquet as pq

            with pq.ParquetFile(self.path) as file:  # read_table imports pandas, which takes longer than to read
                return file.read(columns=names)
        import pyarrow.feather

        return pyarrow.feather.read_table(self.path, columns=names)


def _plain(column: Any) -> Any:
    """Decodes a column whose encoding many pyarrow functions do not support."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return column.cast("string") if pa.types.is_string_view(column.type) else column


def _open_arrow(path: Path) -> Sheet:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.stat().st_size == 0:
        raise PriceError(f"{path} cannot be read: it is empty")
    if path.name.lower().endswith(".parquet"):
        schema = pq.read_schema(path)
    else:
        with pa.OSFile(str(path)) as file:
            schema = pa.ipc.open_file(file).schema
    twice = [name for name in schema.names if schema.names.count(name) > 1]
    if twice:
        raise PriceError(f"{path} has two columns named {twice[0]!r}; rename or remove one")
    stored = [name for name in (schema.pandas_metadata or {}).get("index_columns", []) if isinstance(name, str)]
    temporal = [name for name in stored if pa.types.is_temporal(schema.field(name).type)]
    index = schema.names.index(temporal[0]) if len(stored) == 1 and temporal else None
    return _ArrowSheet(path, tuple(name.strip() for name in schema.names), index=index, schema=schema)


# CSV

_NO_HEADER = Header((), (), 0, ",", ())


@dataclass(frozen=True, eq=False)
class _CsvSheet(Sheet):
    header: Header = _NO_HEADER
    content: bytes | None = None  # of a compressed file

    def is_text(self, position: int) -> bool:
        first = self.header.first
        return position >= len(first) or not is_value(first[position])

    def read(self, uses: Mapping[int, Use]) -> list[Any]:
        import pyarrow as pa

        kinds = {position: self._kind(position, use) for position, use in uses.items()}
        try:
            try:
                return self._columns(kinds)
            except pa.ArrowInvalid as error:
                if "conversion error" not in str(error):
                    raise
                # A cell is not a number. Read as text, it can be named in the message, with its row.
                return self._columns({position: pa.string() for position in kinds})
        except pa.ArrowInvalid as error:
            raise self._ragged() or self._not_utf8(error) or _unreadable(self.path, error) from error
        except (OSError, pa.ArrowException) as error:
            raise _unreadable(self.path, error) from error
        except MemoryError as error:
            raise PriceError(f"{self.path} does not fit into memory; keep the columns time and close only") from error

    def _kind(self, position: int, use: Use) -> Any:
        """Returns the type to read a column as; None to infer it, for dates only: inferred numbers could be hexadecimal."""
        import pyarrow as pa

        first = "".join(self.header.first[position : position + 1])
        if use == "number" or (use == "time" and first.replace(".", "", 1).isdecimal()):
            return pa.float64()
        return None if use == "time" and (not first or set(first) & set("-:")) else pa.string()

    def _columns(self, kinds: Mapping[int, Any], rows: list[Any] | None = None) -> list[Any]:
        """Reads the columns. If ``rows`` is given, rows of another width are appended to it and skipped."""
        import pyarrow as pa
        import pyarrow.csv

        header = self.header
        names = [str(position) for position in range(len(header.names))]
        wanted = {str(position): kind for position, kind in kinds.items()}
        if not header.first:
            return [pa.chunked_array([pa.array([], pa.float64())]) for _ in kinds]

        def skip(row: Any) -> str:
            if rows is not None:
                rows.append(row)
            return "skip"

        size = self.path.stat().st_size if self.content is None else len(self.content)
        table = pyarrow.csv.read_csv(
            self.path if self.content is None else pa.BufferReader(self.content),
            # One block, so that types are inferred from the whole file and errors name the right row.
            read_options=pyarrow.csv.ReadOptions(
                block_size=min(size + 1024, _BLOCK_BYTES),
                skip_rows=header.n_lines,
                column_names=names,
                use_threads=rows is None,
            ),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=header.delimiter,
                invalid_row_handler=None if rows is None else skip,
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                include_columns=list(wanted),
                strings_can_be_null=True,
                column_types={name: kind for name, kind in wanted.items() if kind is not None},
            ),
        )
        return [table.column(name) for name in wanted]

    def _ragged(self) -> PriceError | None:
        """Returns the error for the first row with too few or too many cells; None if there is no such row."""
        import pyarrow as pa

        rows: list[Any] = []
        try:
            self._columns({0: pa.binary()}, rows)
        except (OSError, pa.ArrowException):
            return None
        if not rows:
            return None
        row, width = rows[0], len(self.header.names)
        cause = "; a comma within a number does that: write 1234.5" if row.actual_columns > width else ""
        return PriceError(
            f"{self.path} cannot be read: {row_text(row.number - self.header.n_lines - 1)} has {row.actual_columns} cells "
            f"({row.text[:60]!r}) under a header of {width}{cause}"
        )

    def _not_utf8(self, error: Exception) -> PriceError | None:
        return PriceError(f"{self.path} is not UTF-8 text; save it as UTF-8") if "UTF8" in str(error) else None


def _open_csv(path: Path) -> Sheet:
    content = _unpacked(path)
    if content is None:
        with path.open("rb") as file:
            probe = file.read(_PROBE_BYTES)
        size = path.stat().st_size
    else:
        probe, size = content[:_PROBE_BYTES], len(content)
    if not probe.strip():
        raise PriceError(f"{path} cannot be read: it is empty")
    text = _text(probe, path, complete=size <= _PROBE_BYTES)
    if size > _MOST_BYTES:
        raise PriceError(
            f"{path} is larger than {_MOST_BYTES // 2**30} GiB; keep the columns time and close only, or use Parquet"
        )
    header = parse_header(text, str(path))
    named = any(name and not is_index_name(name) for name in header.names[:1])
    dated = header.first[:1] and is_value(header.first[0]) and not header.first[0].isdecimal()
    index = 0 if dated and not named else None  # as DataFrame.to_csv() writes an index of times without a name
    return _CsvSheet(path, header.names, header.labels, header.assumed, index, header=header, content=content)


def _text(probe: bytes, path: Path, *, complete: bool) -> str:
    """Returns the beginning of a file as text, up to the end of its last whole line."""
    for magic, suffix in _MAGIC.items():
        if probe.startswith(magic):
            raise PriceError(f"{path} is a {suffix} file, not a CSV file: rename it so that it ends in {suffix}")
    if probe.startswith(_UTF16):
        raise PriceError(f"{path} is UTF-16, not UTF-8; save it as UTF-8 (in a spreadsheet: CSV UTF-8)")
    if b"\0" in probe:
        raise PriceError(f"{path} is not a CSV file: it holds bytes that are not text")
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(probe, final=complete)
    except UnicodeDecodeError as error:
        raise PriceError(
            f"{path} is not UTF-8 text (byte 0x{probe[error.start]:02x} at position {error.start}); save it as UTF-8"
        ) from error
    if complete:
        return text
    end = max(text.rfind("\n"), text.rfind("\r"))
    if end < 0:
        raise PriceError(f"{path} is not a CSV file: its first {_PROBE_BYTES} bytes are one line")
    return text[: end + 1]


def member_of(path: Path) -> str | None:
    """Returns the name of the CSV file inside a zip file, without its suffix; None if the file is not a zip file."""
    if not path.name.lower().endswith(".zip"):
        return None
    with zipfile.ZipFile(path) as archive:
        return Path(_member(archive, path).filename).stem


def _unpacked(path: Path) -> bytes | None:
    """Returns the content of a compressed CSV file; None if the file is not compressed."""
    name = path.name.lower()
    if name.endswith(".gz"):
        with gzip.open(path) as packed:
            content = packed.read(_MOST_UNPACKED_BYTES + 1)
    elif name.endswith(".zip"):
        with zipfile.ZipFile(path) as archive:
            member = _member(archive, path)
            if member.flag_bits & 1:
                raise PriceError(f"{path} is encrypted; unpack it")
            with archive.open(member) as file:
                content = file.read(_MOST_UNPACKED_BYTES + 1)
    else:
        return None
    if len(content) > _MOST_UNPACKED_BYTES:
        raise PriceError(f"{path} holds more than {_MOST_UNPACKED_BYTES // 2**30} GiB; unpack it")
    return content


def _member(archive: zipfile.ZipFile, path: Path) -> zipfile.ZipInfo:
    """Returns the only CSV file in an archive."""
    members = [one for one in archive.infolist() if not one.is_dir() and not one.filename.startswith("__MACOSX/")]
    if len(members) == 1 and members[0].filename.lower().endswith(".csv"):
        return members[0]
    names = _listed([one.filename for one in members])
    raise PriceError(f"{path} must hold exactly one CSV file, but holds {names or 'nothing'}; unpack it into a folder")


def _listed(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
