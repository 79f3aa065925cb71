"""Variations of trading costs: the swap fee, the arbitrageur's cost, and gas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quantsim.config import Experiment
from quantsim.config.pools import pool_of
from quantsim.pools.base import PoolSetup
from quantsim.pools.market import FeeRates
from quantsim.prices.synthetic.arithmetic import stream
from quantsim.robustness.variations import Variations
from quantsim.scan_mode import backend_scan_mode

__all__ = ["charged", "cost_names", "described", "varied_costs"]

_FIELDS = {"swap_fee": "swap_fee", "arb_fee": "arb_fee", "gas_cost_usd": "gas_cost"}
_LARGEST_SHARE = 0.99


def cost_names(experiment: Experiment, rates: FeeRates, variations: Variations) -> tuple[str, ...]:
    """Returns the costs that vary, as keys of ``[fees]``: those that the pool charges, and that are not zero at most.

    A swap fee that is a parameter or follows a rule is not among them: neighbours vary it. Nor is gas with elastic volume,
    whose growth is exact without it, nor gas of zero with joins and exits, whose supply would divide it.
    """
    main = experiment.pools[-1]
    charges = pool_of(main).charges
    joins = experiment.series.supply is not None and not _is_positive(rates, "gas_cost_usd")
    if main.fees.volume == "elastic" or joins:
        charges = tuple(name for name in charges if name != "gas_cost_usd")
    own_fee = main.tunes_fee or main.fees.rule is not None
    highest = {"swap_fee": 0.0, "arb_fee": variations.arb_fee, "gas_cost_usd": variations.gas_cost_usd}
    return tuple(
        name
        for name, largest in highest.items()
        if name in charges and not (name == "swap_fee" and own_fee) and (_is_positive(rates, name) or largest > 0.0)
    )


def charged(setup: PoolSetup[Any], names: tuple[str, ...]) -> PoolSetup[Any]:
    """Returns the setup of the same pool whose program has these costs, even if they are zero in the study."""
    costs = replace(setup.costs, charges=True, has_gas=setup.costs.has_gas or "gas_cost_usd" in names)
    settings = setup.settings
    if not setup.costs.charges and setup.scan_mode == "sequential":
        settings = replace(settings, scan_mode=backend_scan_mode(kernels=setup.pool.has_kernel))
    return replace(setup, costs=costs, settings=settings)


def described(names: tuple[str, ...], rates: FeeRates, variations: Variations) -> str:
    """Describes the ranges of the costs."""
    factor, parts = variations.cost_factor, []
    for name in names:
        if _is_positive(rates, name):
            parts.append(f"{name} divided or multiplied by up to {factor:g}")
        else:
            highest = getattr(variations, name)
            parts.append(f"{name} up to {100 * highest:g} %" if name == "arb_fee" else f"{name} up to {highest:g}")
    return ", ".join(parts)


def varied_costs(
    names: tuple[str, ...], rates: FeeRates, variations: Variations, index: int
) -> Mapping[str, NDArray[np.float64]]:
    """Returns the costs of one variation, by field of :class:`~quantsim.pools.market.FeeRates`.

    A cost is the study's own times a factor, uniform in its logarithm. A cost of zero is uniform up to the highest one.

    Args:
        names: the costs that vary.
        rates: the study's own, () or (T,).
        variations: factor, highest costs and seed.
        index: number of the variation.
    """
    drawn = stream(variations.seed, "costs", str(index)).random(len(_FIELDS))
    found = {}
    for share, (name, field) in zip(drawn, _FIELDS.items(), strict=True):
        if name not in names:
            continue
        own = np.asarray(getattr(rates, field), np.float64)
        if _is_positive(rates, name):
            own = own * variations.cost_factor ** (2.0 * share - 1.0)
            found[field] = own if name == "gas_cost_usd" else np.minimum(own, _LARGEST_SHARE)
        else:
            found[field] = np.asarray(getattr(variations, name) * share)
    return found


def _is_positive(rates: FeeRates, name: str) -> bool:
    return bool(np.any(np.asarray(getattr(rates, _FIELDS[name])) > 0.0))
