"""Optuna's dashboard for studies of a search: allowed hosts, corrected answers, and artifacts of the best trials."""
