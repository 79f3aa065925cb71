"""The tables of the checkpoint store, and their version.

The tables only use types that SQLite, PostgreSQL and MySQL store without loss. Times are text in one fixed UTC format (SQLite
has no time zones, MySQL drops fractions of a second). Numbers have double precision. A non-finite number is NULL, with a text
column that names it (SQLite turns NaN into NULL, MySQL rejects it). In MySQL, JSON is plain text (its JSON type changes
numbers and the order of keys), and texts are always compared case-sensitively.
"""

from __future__ import annotations

import contextlib
import json
import logging
import time
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    Dialect,
    Double,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    delete,
    insert,
    inspect,
    select,
)
from sqlalchemy.types import TypeDecorator, UserDefinedType

from quantsim.checkpoints.database.engine import Database
from quantsim.errors import CheckpointError

__all__ = [
    "LONGEST_TAG",
    "SCHEMA_VERSION",
    "Unfinished",
    "baselines",
    "checkpoints",
    "create_schema",
    "daily_returns",
    "ensure_schema",
    "has_schema",
    "is_stored",
    "metrics",
    "reports",
    "run_groups",
    "run_labels",
    "run_parents",
    "run_tags",
    "runs",
    "states",
]

_log = logging.getLogger(__name__)

SCHEMA_VERSION = 4

_OLDEST_VERSION = 1
"""The oldest version that is migrated. Later ones only added tables: 2 reports; 3 daily returns, baselines and groups;
4 labels, tags and parents."""

LONGEST_TAG = 64
"""Largest number of characters of a tag."""

_TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"
_CREATION_PAUSES_S = (0.1, 0.3, 1.0, 3.0)  # pauses between retries while another process creates the tables
_LONGEST_BLOB = 2**32 - 1  # MySQL uses the smallest blob type for this length; other databases ignore it


class Unfinished(CheckpointError):
    """Another process is creating the tables, or died while it did: MySQL shows each table as soon as it exists."""


class UtcTime(TypeDecorator[datetime]):
    """A time with time zone, stored as text that sorts chronologically, to the microsecond."""

    impl = String(27)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        return None if value is None else value.astimezone(UTC).strftime(_TIME_FORMAT)

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        return None if value is None else datetime.strptime(value, _TIME_FORMAT).replace(tzinfo=UTC)


class LongText(UserDefinedType[str]):
    """MySQL's LONGTEXT, without SQLAlchemy's support of MySQL, whose import takes longer than opening a store."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "LONGTEXT"


class JsonText(TypeDecorator[Any]):
    """A JSON value, stored as the text that Python writes for it."""

    impl = LongText
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        return json.dumps(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


metadata = MetaData()

_JSON = JSON().with_variant(JsonText(), "mysql")
_TEXT = Text().with_variant(LongText(), "mysql")  # MySQL's TEXT is limited to 64 KB


def _table(name: str, *columns: Column[Any] | UniqueConstraint | CheckConstraint, **options: Any) -> Table:
    options = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin", **options}
    return Table(name, metadata, *columns, **options)


schema_version = _table("checkpoint_schema", Column("version", Integer, primary_key=True, autoincrement=False))

runs = _table(
    "runs",
    Column("run_id", String(32), primary_key=True),
    Column("experiment_id", String(128), nullable=False, index=True),
    Column("data_id", String(128), nullable=False),
    Column("name", _TEXT, nullable=False),
    Column("driver", String(16), nullable=False),
    Column("config", _JSON, nullable=False),
    Column("seed", BigInteger),
    Column("status", String(16), nullable=False),
    Column("reason", _TEXT),
    Column("started_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("finished_at", UtcTime),
    Column("version", String(64), nullable=False),
    Column("notes", _JSON, nullable=False),
)

checkpoints = _table(
    "checkpoints",
    # SQLite only numbers rows automatically in a column of type INTEGER.
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("run_id", ForeignKey("runs.run_id", ondelete="CASCADE"), nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("parameter_set", BigInteger, nullable=False),
    Column("driver", String(16), nullable=False),
    Column("raw", _JSON, nullable=False),
    Column("human", _JSON, nullable=False),
    Column("objective", Double),
    Column("objective_non_finite", String(4)),
    Column("created_at", UtcTime, nullable=False),
    UniqueConstraint("run_id", "step", "parameter_set"),
    CheckConstraint("objective IS NULL OR objective_non_finite IS NULL", name="objective_is_one_number"),
)

metrics = _table(
    "metrics",
    Column("checkpoint_id", ForeignKey("checkpoints.id", ondelete="CASCADE"), primary_key=True),
    Column("split", String(10), primary_key=True),
    Column("name", String(200), primary_key=True),
    Column("value", Double),
    Column("non_finite", String(4)),
    CheckConstraint("(value IS NULL) <> (non_finite IS NULL)", name="value_is_one_number"),
    sqlite_with_rowid=False,  # rows are stored in the primary key: half the space, and one tree instead of two
)

states = _table(
    "states",
    Column("run_id", ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True),
    Column("step", BigInteger, nullable=False),
    Column("blob", LargeBinary(_LONGEST_BLOB), nullable=False),
    Column("created_at", UtcTime, nullable=False),
)

reports = _table(
    "reports",
    Column("run_id", ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True),
    Column("step", BigInteger, primary_key=True, autoincrement=False),
    Column("content", _JSON, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)

daily_returns = _table(
    "daily_returns",
    Column("checkpoint_id", ForeignKey("checkpoints.id", ondelete="CASCADE"), primary_key=True),
    Column("split", String(10), primary_key=True),
    Column("log_returns", LargeBinary(_LONGEST_BLOB), nullable=False),
)

baselines = _table(
    "baselines",
    Column("run_id", ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(32), primary_key=True),
    Column("split", String(10), primary_key=True),
    Column("metrics", _JSON, nullable=False),
    Column("log_returns", LargeBinary(_LONGEST_BLOB), nullable=False),
)

run_groups = _table(
    "run_groups",
    Column("run_id", ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True),
    Column("group_id", String(64), nullable=False, index=True),
    Column("position", Integer, nullable=False),
)

run_parents = _table(
    "run_parents",
    Column("run_id", ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True),
    Column("parent_id", ForeignKey("runs.run_id", ondelete="CASCADE"), nullable=False, index=True),
)

run_labels = _table(
    "run_labels",
    Column("run_id", ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True),
    Column("title", _TEXT),
    Column("note", _TEXT),
)

run_tags = _table(
    "run_tags",
    Column("run_id", ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True),
    Column("tag", String(LONGEST_TAG), primary_key=True),
)


def ensure_schema(database: Database, *, migrate: bool = True) -> bool:
    """Makes sure that the tables exist in this version; returns whether they do.

    An older store that cannot be written, or shall not be migrated, stays as it is, and can be read: False. Otherwise raises as
    :func:`create_schema`.
    """
    if not migrate and (version := database.transact(_stored_version, write=False)) is not None:
        return version == SCHEMA_VERSION
    for pause_s in _CREATION_PAUSES_S:
        with contextlib.suppress(Unfinished):
            return _create(database)
        time.sleep(pause_s)
    return _create(database)


def _create(database: Database) -> bool:
    if database.transact(has_schema, write=False):
        return True
    try:
        database.transact(create_schema, write=True)
    except CheckpointError as error:
        # On a server, another process may have created the tables at the same time.
        if database.transact(has_schema, write=False):
            return True
        if database.transact(_stored_version, write=False) is None:
            raise
        _log.info("the tables of an older version stay as they are: %s", error)
        return False
    return True


def is_stored(connection: Connection, table: Table) -> bool:
    """Whether the database has a table; a store of an older version that cannot be written lacks some."""
    return inspect(connection).has_table(table.name)


def has_schema(connection: Connection) -> bool:
    """Whether the database has the tables in this version; raises as :func:`create_schema`."""
    return _stored_version(connection) == SCHEMA_VERSION


def create_schema(connection: Connection) -> None:
    """Creates missing tables and writes their version, unless another process has done so.

    A store of an older version gets its missing tables; its content does not change.

    Raises:
        CheckpointError: the tables have a version that cannot be migrated, or belong to another program.
        Unfinished: another process is creating them.
    """
    if has_schema(connection):
        return
    if connection.dialect.name == "mysql" and _stored_version(connection) is None:
        schema_version.create(connection)  # only one process succeeds; the others find it unfinished
    metadata.create_all(connection)
    connection.execute(delete(schema_version))
    connection.execute(insert(schema_version).values(version=SCHEMA_VERSION))


def _stored_version(connection: Connection) -> int | None:
    """Returns the version of the tables in the database, this one or an older one; None if there are no tables."""
    inspector = inspect(connection)
    names = set(inspector.get_table_names())  # first: another process may be creating them
    if not inspector.has_table(schema_version.name):
        foreign = sorted(names & set(metadata.tables))
        if foreign:
            raise CheckpointError(
                f"the database already has tables named {', '.join(foreign)} that are not a checkpoint store; "
                "use another database"
            )
        return None
    found: int | None = connection.scalar(select(schema_version.c.version))
    if found is None:
        kind = Unfinished if connection.dialect.name == "mysql" else CheckpointError
        raise kind("the schema version is missing: the creation of the store was interrupted; delete it")
    if found > SCHEMA_VERSION:
        raise CheckpointError(
            f"it was made by a newer quantsim (schema {found}; this version reads {SCHEMA_VERSION}); upgrade quantsim"
        )
    if found < _OLDEST_VERSION:
        raise CheckpointError(
            f"it was made by an older quantsim (schema {found}; this version reads {SCHEMA_VERSION}); use a new store"
        )
    return found
