"""The longest memory of the estimators of a study, over all parameters that a trainer may try."""

from __future__ import annotations

import numpy as np

from quantsim.config import Experiment
from quantsim.search_space import load_search_space

__all__ = ["memory_days"]

_MEMORY = "memory_days"


def memory_days(experiment: Experiment, trainer: str) -> float:
    """Returns the longest memory, in days, that training of a study may reach.

    For a search, it is the largest memory that can be drawn from its space. For gradients, it is ``update.max_memory_days``,
    which limits every memory.

    Args:
        experiment: the study.
        trainer: one of :data:`~quantsim.out_of_sample.TRAINERS`.

    Raises:
        ConfigError: the search space is not valid.
    """
    most = max(view.update.max_memory_days for view in experiment.pools)
    if trainer == "sgd":
        return most
    own = experiment.human_parameters(experiment.initial_parameters())
    reached = {name: float(values.max()) for name, values in own.items() if _is_memory(name)}
    if trainer != "fixed":
        space = load_search_space(experiment)
        drawn = {one.name: max(draw.high for draw in one.draws) for one in space.dimensions}
        fixed = {name: float(np.max(value)) for name, value in space.fixed.items()}
        reached |= {name: value for name, value in {**drawn, **fixed}.items() if _is_memory(name)}
    return min(most, max(reached.values(), default=most))


def _is_memory(name: str) -> bool:
    """Whether this is a memory: ``memory_days``, ``alt_memory_days``, or one of them in a group."""
    return name.endswith(_MEMORY)
