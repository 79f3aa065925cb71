"""What those see who open a study in Optuna's dashboard: notes, columns, pictures."""
