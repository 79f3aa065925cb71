"""What looks for good parameters: gradients (``sgd``), Optuna (``search``), and both in turns (``hybrid``)."""
