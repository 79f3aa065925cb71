"""Which trials can be drawn before any of them is known: those of a generation depend on the generation before only."""

from __future__ import annotations

from optuna.samplers import BaseGASampler, BaseSampler
from optuna.study import Study
from optuna.trial import TrialState

from quantsim.config.driver_sections import Search
from quantsim.drivers.search.samplers.cma import GENERATION, CmaSampler, first_population_size

__all__ = ["batch_width", "ends_batch"]

_OF_GENERATIONS = frozenset({"nsga2", "nsga3", "random", "qmc"})
_COUNTED = (TrialState.COMPLETE, TrialState.RUNNING)


def batch_width(search: Search, n_dimensions: int, at_most: int) -> int:
    """How many trials are evaluated in one call; 1 where each is drawn from all before it, or may be given up early.

    Random and quasi-random trials, each of which could be drawn at any time, are taken by ``population_size``, too.

    Args:
        search: names the sampler.
        n_dimensions: values that a trial draws.
        at_most: what the evaluator takes in one call.
    """
    if search.pruner != "none":
        return 1
    if search.sampler == "cmaes":
        return min(first_population_size(n_dimensions), at_most)
    return min(search.population_size, at_most) if search.sampler in _OF_GENERATIONS else 1


def ends_batch(study: Study, sampler: BaseSampler, number: int, index: int, width: int) -> bool:
    """Whether a trial is the last of its batch: it completes its generation, or a batch of those that generation is cut in.

    That depends on nothing but the study, so batches end at the same trials however often the study was cut off. What fails
    leaves a place in its generation, which the next batch fills.

    Args:
        study: with the trial drawn, and running.
        sampler: that drew it.
        number: of the trial.
        index: its place among the trials that count.
        width: of a batch.
    """
    if isinstance(sampler, BaseGASampler):
        key, size = sampler._get_generation_key(), sampler.population_size
    elif isinstance(sampler, CmaSampler):
        key, size = GENERATION, sampler.population_size
    else:
        return (index + 1) % width == 0
    trials = study.get_trials(deepcopy=False)
    generation = trials[number].system_attrs.get(key)
    if generation is None:  # it was given, not drawn
        return False
    drawn = sum(trial.state in _COUNTED and trial.system_attrs.get(key) == generation for trial in trials)
    return drawn % width == 0 or bool(drawn == size)
