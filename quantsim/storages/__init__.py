"""Storages of Optuna studies: journal files, SQLite, database servers, and Optuna's storage proxy."""
