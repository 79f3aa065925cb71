"""Drivers, which find parameters: by gradients (``sgd``), with Optuna (``search``), or alternating both (``hybrid``)."""
