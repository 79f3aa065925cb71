"""The experiment for gradient training: that of the study, or the same pool without costs."""

from __future__ import annotations

from typing import Any

from quantsim.config import Experiment
from quantsim.config.pools import FEE_GROUP
from quantsim.errors import ConfigError
from quantsim.metrics import get_metric
from quantsim.metrics.sample import Need
from quantsim.parameters import common
from quantsim.parameters.parameter import SEPARATOR, in_group
from quantsim.search_space import SearchSpace

__all__ = ["gradient_experiment"]

_COSTS = ("swap_fee", "arb_fee", "gas_cost_usd", "trades", "supply")
"""Keys of ``series`` that a pool without costs does not use."""


def gradient_experiment(experiment: Experiment, space: SearchSpace) -> Experiment:
    """Returns the experiment that fine-tunes the trials of a search.

    It only trains parameters of the search space, because other changes are lost when the result becomes a trial. Its window is
    the whole training period, as for trials, unless ``hybrid.windows`` chooses the windows of the study. Without fees, there
    are no trading costs and no exogenous swaps, and parameters of fees keep their starting values.

    Args:
        experiment: experiment with the table ``hybrid``.
        space: search space.

    Raises:
        ConfigError: search and gradients have no parameter in common, or settings of ``sgd`` contradict ``hybrid.steps``.
    """
    without_fees = experiment.hybrid.gradients == "zero_fee"
    if experiment.hybrid.gradients == "auto":
        # The adjoint serves all pools but those with exogenous swaps, whose gradients go through every bar.
        without_fees = experiment.series.trades is not None
    values = experiment.model_dump(mode="json")
    fees = _fee_parameters(experiment) if without_fees else frozenset()
    if without_fees:
        _check_objective(experiment)
        _drop_costs(values, fees)
    if experiment.hybrid.windows == "whole":
        values["objective"]["bout_offset_days"] = 0.0
    values["sgd"] |= {
        "steps": experiment.hybrid.steps,
        "train": _moved(experiment, space, fees),
        # Sets are usually drawn around a single start; here each start is a set.
        "n_parameter_sets": 1,
        "initial": "gaussian",
    }
    try:
        source = f"study {experiment.name!r}, with the settings of hybrid.gradients,"
        return Experiment.from_dict(values, source, own_rules=experiment.own_rules)
    except ConfigError as error:
        error.add_note("in a hybrid run sgd.steps is hybrid.steps, and sgd.train is limited to searched parameters")
        raise


def _check_objective(experiment: Experiment) -> None:
    for metric, _ in (*experiment.objective.terms, *experiment.objective.constraints):
        if Need.FEES in get_metric(metric).needs:
            raise ConfigError(
                f"hybrid.gradients = {experiment.hybrid.gradients!r} uses gradients without fees here, but {metric} of the "
                "objective needs fees: set hybrid.gradients = 'with_fees', or another objective"
            )


def _fee_parameters(experiment: Experiment) -> frozenset[str]:
    """Returns raw and human-readable names of the parameters of fees."""
    found: set[str] = set()
    for view in experiment.pools:
        found |= {in_group(view.group, common.swap_fee.raw_name), in_group(view.group, common.swap_fee.human_name)}
        of_rule = in_group(view.group, FEE_GROUP) + SEPARATOR
        names = {name for one in experiment.layout for name in (one.raw_name, one.human_name)}
        found |= {name for name in names if name.startswith(of_rule)}
    return frozenset(found)


def _drop_costs(values: dict[str, Any], fees: frozenset[str]) -> None:
    """Removes trading costs from a study, except ``rebalancing_cost``, which the pool does not pay."""
    for pool in (values, *values["subsidiaries"].values()):
        pool["fees"] = {"rebalancing_cost": pool["fees"]["rebalancing_cost"]}
    values["series"] |= dict.fromkeys(_COSTS)
    values["parameters"] = {name: value for name, value in values["parameters"].items() if name not in fees}


def _moved(experiment: Experiment, space: SearchSpace, fees: frozenset[str]) -> list[str]:
    """Returns human-readable names of the parameters that are both searched and trained."""
    searched = {dimension.name for dimension in space.dimensions}
    movable = [one.human_name for one in experiment.layout if one.raw_name in experiment.trainable]
    moved = [name for name in movable if name in searched and name not in fees]
    if not moved:
        raise ConfigError(
            f"the search of study {experiment.name!r} has the parameters {', '.join(sorted(searched))}, and gradients can "
            f"train {', '.join(movable) or 'none'}: a hybrid run needs a common parameter. Change search.space, sgd.train, or "
            f"hybrid.gradients = {experiment.hybrid.gradients!r}; or run the search alone"
        )
    return moved
