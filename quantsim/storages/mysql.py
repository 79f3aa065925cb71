"""Changes Optuna's tables in MySQL and MariaDB so that they store text and times exactly.

Optuna (5.0) leaves three things to the server's defaults. Names of studies and parameters that differ in case only are equal,
and may not be Greek; texts are limited to 64 KB, less than the metrics of a trial with many periods; times are whole seconds.
"""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, text

__all__ = ["widen_tables"]

_COLLATION = "utf8mb4_bin"

_ALL_LETTERS = f"CONVERT TO CHARACTER SET utf8mb4 COLLATE {_COLLATION}"
_LONG = f"LONGTEXT CHARACTER SET utf8mb4 COLLATE {_COLLATION}"
_CHANGES = {
    "studies": (_ALL_LETTERS,),
    "study_user_attributes": (_ALL_LETTERS, f"MODIFY value_json {_LONG}"),
    "study_system_attributes": (_ALL_LETTERS, f"MODIFY value_json {_LONG}"),
    "trials": ("MODIFY datetime_start DATETIME(6)", "MODIFY datetime_complete DATETIME(6)"),
    "trial_params": (_ALL_LETTERS, f"MODIFY distribution_json {_LONG}"),
    "trial_user_attributes": (_ALL_LETTERS, f"MODIFY value_json {_LONG}"),
    "trial_system_attributes": (_ALL_LETTERS, f"MODIFY value_json {_LONG}"),
}

_NARROW = text(
    "SELECT DISTINCT table_name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name IN :tables "
    "AND (data_type = 'text' OR datetime_precision = 0 OR (data_type <> 'enum' AND collation_name <> :collation))"
).bindparams(bindparam("tables", expanding=True))


def widen_tables(connection: Connection) -> None:
    """Changes the tables that need it; their content stays. If none needs it, this is one query."""
    found = connection.execute(_NARROW, {"tables": sorted(_CHANGES), "collation": _COLLATION})
    for table in sorted(row[0] for row in found):
        connection.exec_driver_sql(f"ALTER TABLE {table} {', '.join(_CHANGES[table])}")
