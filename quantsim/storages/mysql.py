"""Changes Optuna's tables in MySQL and MariaDB so that they store text and times exactly.

Optuna 5.0 uses the server's defaults, which cause three problems. Names that differ only in case are equal, and names with
Greek letters are errors. Texts are limited to 64 KB, which is less than the metrics of a trial with many periods. Times are
rounded to seconds.
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
    """Changes the columns that need it, and keeps their content. If none does, this is one query."""
    found = connection.execute(_NARROW, {"tables": sorted(_CHANGES), "collation": _COLLATION})
    for table in sorted(row[0] for row in found):
        connection.exec_driver_sql(f"ALTER TABLE {table} {', '.join(_CHANGES[table])}")
