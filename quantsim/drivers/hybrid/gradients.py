"""What gradients are followed on: the experiment of the study, or the same pool without costs."""

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

_COSTS = ("swap_fee", "arb_fee", "gas_cost_usd", "trades")
"""Keys of ``series`` that a pool without costs goes without."""


def gradient_experiment(experiment: Experiment, space: SearchSpace) -> Experiment:
    """The experiment that fine-tunes what a search of ``experiment`` found.

    It trains what the search moves and nothing else: what a trial cannot have is lost when it is tried. Its one window is the
    whole training period, on which trials are judged, unless ``hybrid.windows`` wants those of the study. Without fees, what
    trading costs is left out, exogenous swaps too, and parameters of fees keep the values they start with.

    Args:
        experiment: its ``hybrid`` table says how.
        space: what the search moves.

    Raises:
        ConfigError: the search moves nothing that gradients could, or settings of ``sgd`` do not fit ``hybrid.steps``.
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
        # One start would be a centre to draw sets around; here each start is one set.
        "n_parameter_sets": 1,
        "initial": "gaussian",
    }
    try:
        source = f"study {experiment.name!r}, as hybrid.gradients follows it,"
        return Experiment.from_dict(values, source, own_rules=experiment.own_rules)
    except ConfigError as error:
        error.add_note("in a hybrid run sgd.steps is hybrid.steps, and sgd.train what the search moves, too")
        raise


def _check_objective(experiment: Experiment) -> None:
    for metric, _ in (*experiment.objective.terms, *experiment.objective.constraints):
        if Need.FEES in get_metric(metric).needs:
            raise ConfigError(
                f"hybrid.gradients = {experiment.hybrid.gradients!r} follows gradients without fees here, and {metric} of the "
                "objective is nothing without them: set hybrid.gradients = 'with_fees', or another objective"
            )


def _fee_parameters(experiment: Experiment) -> frozenset[str]:
    """Raw and human-readable names of the parameters that set fees."""
    found: set[str] = set()
    for view in experiment.pools:
        found |= {in_group(view.group, common.swap_fee.raw_name), in_group(view.group, common.swap_fee.human_name)}
        of_rule = in_group(view.group, FEE_GROUP) + SEPARATOR
        names = {name for one in experiment.layout for name in (one.raw_name, one.human_name)}
        found |= {name for name in names if name.startswith(of_rule)}
    return frozenset(found)


def _drop_costs(values: dict[str, Any], fees: frozenset[str]) -> None:
    """Takes what trading costs out of a study; the benchmark ``rebalancing_cost`` is paid by nobody, and stays."""
    for pool in (values, *values["subsidiaries"].values()):
        pool["fees"] = {"rebalancing_cost": pool["fees"]["rebalancing_cost"]}
    values["series"] |= dict.fromkeys(_COSTS)
    values["parameters"] = {name: value for name, value in values["parameters"].items() if name not in fees}


def _moved(experiment: Experiment, space: SearchSpace, fees: frozenset[str]) -> list[str]:
    """Human-readable names of what both search and gradients move."""
    searched = {dimension.name for dimension in space.dimensions}
    movable = [one.human_name for one in experiment.layout if one.raw_name in experiment.trainable]
    moved = [name for name in movable if name in searched and name not in fees]
    if not moved:
        raise ConfigError(
            f"the search of study {experiment.name!r} moves {', '.join(sorted(searched))}, and gradients could move "
            f"{', '.join(movable) or 'nothing'}: a hybrid run needs a parameter that both do. Change search.space, "
            f"sgd.train, or hybrid.gradients = {experiment.hybrid.gradients!r}; or run the search alone"
        )
    return moved
