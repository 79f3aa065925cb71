"""The experiments of the baselines of a study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from quantsim.baseline import BASELINES
from quantsim.config.pools import FEE_GROUP, pool_of
from quantsim.errors import ConfigError, nearest
from quantsim.parameters import common
from quantsim.parameters.parameter import in_group
from quantsim.pools.settings import PoolView
from quantsim.pools.steered.steering import ConstantSettings, SteeredSettings

if TYPE_CHECKING:
    from quantsim.config.experiment import Experiment

__all__ = ["baseline_experiment", "has_initial_weights"]

Values = dict[str, Any]

_KEPT_OF_HODL = ("tokens", "initial_value_usd")
_KEPT_OF_POOL = (*_KEPT_OF_HODL, "do_arb", "arb_frequency")
_KEPT_OF_SERIES = ("swap_fee", "arb_fee", "gas_cost_usd", "trades", "supply")


def baseline_experiment(experiment: Experiment, name: str, initial_weights: Sequence[float] = ()) -> Experiment:
    """Returns the experiment of a baseline, on the same data and periods, with the same objective.

    * ``study``: the experiment itself.
    * ``constant_weights``: the same pool with its initial weights, held constant by arbitrage and swaps; same tokens, fees, fee
      rule, arbitrage and series. A pool with constant weights (hold, batch) is its own baseline. A pool that does not have
      weights, such as one in a user's file, is compared with a weighted pool. Subsidiaries have constant weights, too.
    * ``hodl``: a pool that holds the initial reserves and never trades; subsidiaries hold, too.

    Parameters are those of the experiment. Initial weights are equal unless the experiment sets them, also for rules that
    choose the weights that the pool starts with.

    Args:
        experiment: the experiment.
        name: one of :data:`~quantsim.baseline.BASELINES`.
        initial_weights: weights of the baseline of a pool that has no such parameter, (n,); equal by default.

    Raises:
        ConfigError: there is no such baseline.
    """
    if name not in BASELINES:
        raise ConfigError(f"baseline {name!r}: {nearest(name, BASELINES)}")
    if name == "study":
        return experiment
    change = _constant_weights if name == "constant_weights" else _hodl
    values: Values = experiment.model_dump(mode="json")
    values = {key: value for key, value in values.items() if key not in ("driver", "search", "sgd", "hybrid")}
    *subsidiaries, main = experiment.pools
    values |= change(main, values)
    values["series"] = {key: values["series"][key] for key in _KEPT_OF_SERIES if name == "constant_weights"}
    for view in subsidiaries:
        table = values["subsidiaries"][view.group]
        changed = change(view, {**table, "pool": table})
        values["subsidiaries"][view.group] = {**changed["pool"], "fees": changed["fees"], "update": changed["update"]}
    kept = {one for view in experiment.pools for one in _kept_parameters(view, name)}
    values["parameters"] = {one: value for one, value in values["parameters"].items() if one in kept}
    if not has_initial_weights(main) and len(initial_weights):
        values["parameters"][common.initial_weights.human_name] = [float(weight) for weight in initial_weights]
    return experiment.from_dict(values, f"baseline {name!r}", own_rules=experiment.own_rules)


def has_initial_weights(view: PoolView) -> bool:
    """Whether the initial weights are a parameter of the pool."""
    return issubclass(pool_of(view).settings, SteeredSettings)


def _constant_weights(view: PoolView, tables: Mapping[str, Any]) -> Values:
    """Returns the tables ``pool``, ``update`` and ``fees`` of a pool with constant weights."""
    table, settings = tables["pool"], pool_of(view).settings
    if issubclass(settings, ConstantSettings):
        pool = table
    elif issubclass(settings, SteeredSettings):
        pool = {**table, "rule": "balancer", "ensemble": {}, "minimum_weight": None, "maximum_weight": None}
    else:
        pool = {**{key: table[key] for key in _KEPT_OF_POOL if key in table}, "rule": "balancer"}
    return {"pool": pool, "update": _plain(tables["update"]), "fees": tables["fees"]}


def _hodl(view: PoolView, tables: Mapping[str, Any]) -> Values:
    """Returns the same tables of a pool that never trades, and pays nothing."""
    pool = {**{key: tables["pool"][key] for key in _KEPT_OF_HODL if key in tables["pool"]}, "type": "hold"}
    return {"pool": pool, "update": _plain(tables["update"]), "fees": {}}


def _plain(update: Mapping[str, Any] | None) -> Values | None:
    """Returns the settings of the update without those that are for moving weights only."""
    return None if update is None else {**update, "interpolation": "linear", "published_look_ahead": False}


def _kept_parameters(view: PoolView, name: str) -> list[str]:
    """Returns the names of the pool's given parameters that its baseline has, too."""
    specs = [common.initial_weights] if has_initial_weights(view) else []
    specs += [common.swap_fee] if name == "constant_weights" else []
    own = {text for spec in specs for text in (spec.raw_name, spec.human_name)}
    fee = in_group(FEE_GROUP, "") if name == "constant_weights" else None
    kept = [one for one in view.given if one in own or (fee is not None and one.startswith(fee))]
    return [in_group(view.group, one) for one in kept]
