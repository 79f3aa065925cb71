"""Optuna's tables in MySQL and MariaDB, changed so that they keep what is written: to the letter, whole and in full.

Optuna leaves three things to the server, which by its own defaults tells no "a" from "A" in names of studies and parameters
(and may have no Greek), ends texts at 64 KB, less than the metrics of a trial with many periods, and rounds times to seconds.
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
    """Changes the tables that need it, and looks only where none does; what is in them stays."""
    found = connection.execute(_NARROW, {"tables": sorted(_CHANGES), "collation": _COLLATION})
    for table in sorted(row[0] for row in found):
        connection.exec_driver_sql(f"ALTER TABLE {table} {', '.join(_CHANGES[table])}")
