"""Checks rules in users' files before anything runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quantsim.config import Experiment
from quantsim.config.pools import FEE_GROUP, pool_parameters
from quantsim.discovery import is_own
from quantsim.parameters.parameter import in_group
from quantsim.pools.base import PoolSetup
from quantsim.pools.settings import PoolView
from quantsim.simulator.conformance import Subject, conform, frozen

__all__ = ["check_own_rules"]


def check_own_rules(
    experiment: Experiment, setup: PoolSetup[Any], prices: NDArray[np.float64], *, has_oracle: bool
) -> list[str]:
    """Checks rules and fee rules in users' files; the tests of quantsim check its own.

    Args:
        experiment: the experiment.
        setup: setup of its pool.
        prices: (T, n_data) prices of the data.
        has_oracle: whether its pool has an oracle series.

    Returns:
        Notes for readers of the results.

    Raises:
        ConfigError: a rule fails, returns a wrong type, or looks ahead.
    """
    setups = [*(part.setup for part in setup.subsidiaries), setup]
    subjects = [
        (subject, own)
        for view, own in zip(experiment.pools, setups, strict=True)
        for subject in _subjects(experiment, view, own, has_oracle=has_oracle and not view.group)
    ]
    if not subjects:
        return []
    n_bars, n_data = prices.shape
    shares = np.ones(len(setup.subsidiaries))  # a share of a subsidiary costs 1 at first
    # To two digits, so that windows of the same data share one check.
    levels = [float(f"{level:.1e}") for level in [*np.exp(np.log(prices).mean(axis=0)), *shares]]
    said = []
    for subject, own in subjects:
        of_pool = tuple(levels[at] for at in own.columns or range(n_data))
        said.append(conform(replace(subject, levels=of_pool), -(-n_bars // own.chunk_bars)))
    return [sentence for sentence in said if sentence is not None]


def _subjects(experiment: Experiment, view: PoolView, setup: PoolSetup[Any], *, has_oracle: bool) -> Iterator[Subject]:
    parameters, raw = pool_parameters(view), experiment.initial_parameters()
    own = frozen({parameter.raw_name: raw[parameter.raw_name] for parameter in parameters})
    table = f"subsidiaries.{view.group}." if view.group else ""
    for (member, rule), name in zip(view.pool.members(), view.pool.rule_names, strict=True):
        if is_own(name) and rule.outputs is not None:
            key = f"{table or 'pool.'}ensemble.{member}" if member else f"{table or 'pool.'}rule"
            group = in_group(view.group, member) if member else view.group
            yield Subject(
                f"{key} = '{name}'",
                rule.outputs,
                setup.settings,
                setup.n_tokens,
                parameters,
                own,
                group,
                has_oracle,
                rule,
            )
    if setup.costs.fee_rule is not None and is_own(str(view.fees.rule)):
        called, group = f"{table}fees.rule = '{view.fees.rule}'", in_group(view.group, FEE_GROUP)
        yield Subject(
            called, setup.costs.fee_rule.fees, setup.settings, setup.n_tokens, parameters, own, group, has_oracle
        )
