"""Deployment files: on-chain numbers of a parameter set, the pool's settings, and where the numbers come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from quantsim import __version__
from quantsim.checkpoints.as_json import identity_json
from quantsim.checkpoints.starts import Start
from quantsim.config.pools import pool_of, pool_parameters
from quantsim.errors import ConfigError, PriceError
from quantsim.onchain import contract_document
from quantsim.parameters import to_human
from quantsim.parameters.onchain import (
    DECIMALS,
    OnChain,
    as_written,
    exact_decimal,
    fixed_point,
    fixed_weights,
    on_chain,
)
from quantsim.parameters.parameter import in_group
from quantsim.parameters.spec import SIMPLEX
from quantsim.pools.steered.steering import SteeredSettings, has_token_bounds, tuned_bounds, weight_bounds

if TYPE_CHECKING:
    from quantsim.checkpoints import Run, Selection
    from quantsim.config import Experiment
    from quantsim.pools.settings import PoolView
    from quantsim.prices import PriceData, Prices

__all__ = ["FORMAT", "FORMAT_VERSION", "check_accepted", "deployment"]

FORMAT, FORMAT_VERSION = "quantsim-deployment", 1

_SECONDS_PER_MINUTE = 60

# Lower limits: (rule, raw name) → the rule uses smaller values as if they were this one.
_LEAST = {("power_channel", "raw_exponents"): 1.0}


def deployment(
    experiment: Experiment,
    parameters: Mapping[str, Any] | Start,
    prices: PriceData | None = None,
    *,
    replay: bool = True,
) -> dict[str, Any]:
    """Returns the data for a deployment of a parameter set, as JSON values.

    Args:
        experiment: experiment whose pools are deployed.
        parameters: parameters as in :meth:`Experiment.initial_parameters`; missing ones are those of the experiment. Or a
            stored parameter set; if the experiment differs from its study in what decides metrics, the result lists the
            differences.
        prices: prices of the study's tokens, for the rule's state at their end, and the replay; by default, those that the
            study names. If these cannot be loaded or replayed, ``without_replay`` has the reason.
        replay: whether to add state and replay.

    Returns:
        ``format`` and ``version``; ``experiment``, ``run``, ``checkpoint`` and ``selection``, which state the origin of the
        numbers and the split that chose them; ``pools``, subsidiaries first, each with its tokens in order, ``settings`` and
        ``parameters``, and ``contract``: what creates QuantAMM's contract, or why it refuses, and a replay of its updates, see
        :func:`quantsim.onchain.contract_document`. A number is ``{"decimal": …, "fixed": …}``, where ``fixed`` is the value
        times ``10^18`` as an integer.
        Settings are the decimals of the study; parameters are the exact values of their float64.

    Raises:
        ParameterError: a name, shape or value is invalid.
        ConfigError: the stored parameter set is for other tokens or another rule.
        PriceError: the given prices lack a token, or do not cover what the replay needs.

    Example:
        >>> start = quantsim.start_from(store, "best")  # doctest: +SKIP
        >>> deployment(start.experiment, start)["pools"]  # doctest: +SKIP
    """
    start = parameters if isinstance(parameters, Start) else None
    raw = start.raw_for(experiment) if start else experiment.initial_parameters(cast("Mapping[str, Any]", parameters))
    pools, reason = _pools(experiment, raw, prices, replay=replay)
    return {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "decimals": DECIMALS,
        "quantsim": __version__,
        "experiment": {"name": experiment.name, "identity": experiment.identity},
        "run": None if start is None else _run(start.run, start.differences(experiment)),
        "checkpoint": None if start is None else {**identity_json(start.checkpoint), "origin": start.origin},
        "selection": None if start is None or start.selection is None else _selection(start.selection),
        "pools": pools,
        "without_replay": reason,
    }


def _pools(
    experiment: Experiment, raw: Mapping[str, Any], prices: PriceData | None, *, replay: bool
) -> tuple[list[dict[str, Any]], str | None]:
    """Returns the pools, and why they have no replay although one is wanted; None if they have one, or none is wanted."""

    def pools(seen: Prices | None) -> list[dict[str, Any]]:
        return [_pool(experiment, view, raw, seen) for view in experiment.pools]

    if not replay:
        return pools(None), None
    if prices is not None:
        return pools(experiment.prices(prices)), None
    try:
        return pools(experiment.load_prices()), None
    except PriceError as error:  # the prices that the study names need not be on this machine, nor cover the study
        return pools(None), str(error)


def check_accepted(document: Mapping[str, Any]) -> None:
    """Raises ConfigError if the contracts refuse a pool of a deployment; the message lists the reasons."""
    refused = {pool["name"]: reasons for pool in document["pools"] if (reasons := pool["contract"]["refused"])}
    if refused:
        each = "; ".join(f"{name}: {', '.join(reasons)}" for name, reasons in refused.items())
        raise ConfigError(f"the contracts cannot run this: {each}")


def _run(run: Run, differences: Sequence[str]) -> dict[str, Any]:
    return {
        "id": run.run_id,
        "name": run.name,
        "driver": run.driver,
        "experiment": run.experiment_id,
        "prices": run.data_id,
        "differences": list(differences),
        "notes": [f"the {name} were {run.notes[name]}" for name in ("prices", "series") if name in run.notes],
    }


def _selection(selection: Selection) -> dict[str, Any]:
    return {
        "method": selection.method,
        "metric": selection.metric,
        "chosen_by": selection.chosen_by,
        "used_test_data": selection.used_test_data,
    }


def _pool(experiment: Experiment, view: PoolView, raw: Mapping[str, Any], prices: Prices | None) -> dict[str, Any]:
    least = {
        in_group(in_group(view.group, member) if member else view.group, name): value
        for (member, _), asked_for in zip(view.pool.members(), view.pool.rule_names, strict=True)
        for (rule_name, name), value in _LEAST.items()
        if asked_for == rule_name  # a rule in a user's file may have the same name
    }
    found = on_chain(pool_parameters(view), raw, view.update.max_memory_days, least)
    settings, remarks = _settings(experiment, view)
    return {
        "name": view.group or experiment.name,
        "type": pool_of(view).name,
        "rule": view.pool.strategy_name if view.pool.rule_names else None,
        "tokens": list(view.tokens),
        "settings": settings,
        "parameters": [_parameter(one, raw) for one in found],
        "remarks": [*remarks, *(remark for one in found for remark in one.remarks)],
        "contract": contract_document(experiment, raw, prices, group=view.group),
    }


def _settings(experiment: Experiment, view: PoolView) -> tuple[dict[str, Any], list[str]]:
    """Returns the settings of a deployment, and remarks on settings that contracts do not support."""
    update, fees, remark = view.update, view.fees, pool_of(view).export_remark
    remarks = [] if remark is None else [f"pool {view.pool.strategy_name!r}: {remark}"]
    settings: dict[str, Any] = {"update_interval_seconds": _SECONDS_PER_MINUTE * update.chunk_minutes}
    if isinstance(view.pool, SteeredSettings):
        steering, of_bounds = _steering(view)
        settings |= steering
        remarks += of_bounds
    varies = not view.group and "swap_fee" in experiment.series.costs
    if varies or fees.rule is not None:
        remarks.append("the swap fee varies over time: " + (fees.rule or "series.swap_fee"))
    elif not view.tunes_fee:
        settings["swap_fee"] = _number(as_written(fees.swap_fee))
    remarks += [f"the parameters were found with {setting}, which no contract supports" for setting in view.published]
    if update.interpolation != "linear":
        remarks.append(f"weights move along {update.interpolation!r} ramps; contracts interpolate linearly")
    return settings, remarks


def _steering(view: PoolView) -> tuple[dict[str, Any], list[str]]:
    """Returns the speed and the bounds of weights, and remarks on what a deployment cannot set."""
    lower, upper = _bounds(view)
    fastest = as_written(view.update.maximum_change_per_minute)
    remarks = []
    settings: dict[str, Any] = {
        "interpolation_seconds": _SECONDS_PER_MINUTE * view.interpolation_minutes,
        # The ramp is as steep as the fastest weight may change, for as long as it lasts.
        "maximum_change_per_update": _number(fastest * view.interpolation_minutes),
        "maximum_change_per_minute": _number(fastest),
    }
    tuned = {spec.human_name for spec in tuned_bounds(view)}
    if not has_token_bounds(view):
        settings["minimum_weight"] = _number(min(lower))
    else:
        bounds = {"minimum_weights": lower, "maximum_weights": upper}
        settings |= {name: [_number(bound) for bound in each] for name, each in bounds.items() if name not in tuned}
        remarks.append("weights have bounds per token; a contract with a single guard rail does not support them")
    return settings, remarks


def _parameter(one: OnChain, raw: Mapping[str, Any]) -> dict[str, Any]:
    parameter = one.parameter
    arrays = {name: np.asarray(value, np.float64) for name, value in raw.items()}
    human = to_human((parameter,), arrays)[parameter.human_name]
    entry: dict[str, Any] = {
        "name": one.name,
        "of": list(parameter.labels),
        "decimal": [exact_decimal(value) for value in one.values],
        "fixed": [fixed_point(value) for value in one.values],
        "human": {"name": parameter.human_name, "unit": parameter.spec.unit, "values": human.tolist()},
        "raw": {"name": parameter.raw_name, "values": arrays[parameter.raw_name].tolist()},
    }
    if parameter.spec.transform is SIMPLEX:
        entry["fixed_summing_to_one"] = list(fixed_weights(one.values))
    return entry


def _bounds(view: PoolView) -> tuple[list[Decimal], list[Decimal]]:
    """Returns the bounds of the weights, as :func:`weight_bounds`, in decimals, (n,) each."""
    lower = [as_written(bound) for bound in weight_bounds(view)[0]]
    room = max(1 - sum(lower), Decimal(0))
    given = cast(SteeredSettings, view.pool).maximum_weight
    highest = given if isinstance(given, tuple) else (1.0 if given is None else given,) * len(lower)
    return lower, [min(as_written(high), low + room) for low, high in zip(lower, highest, strict=True)]


def _number(value: Decimal) -> dict[str, str]:
    text = exact_decimal(value)
    return {"decimal": text.rstrip("0").rstrip(".") if "." in text else text, "fixed": fixed_point(value)}
