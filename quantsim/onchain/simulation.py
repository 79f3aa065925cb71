"""Simulates a study's pool with the weights that its contract would have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from quantsim.config import Experiment
from quantsim.onchain.chain import Chain, bar_seconds
from quantsim.onchain.difference import Difference, difference
from quantsim.onchain.documents import integers, problems_json, reverted_json, settings_json
from quantsim.onchain.run import ChainRun, run_on_chain
from quantsim.onchain.settings import ContractPool, contract_pool
from quantsim.prices import PriceData
from quantsim.simulator import Evaluator, Path, Result, Split, period_of, simulate_on

__all__ = [
    "ChainSimulation",
    "chain_results",
    "chain_simulation",
    "chain_weights",
    "pool_prices",
    "simulate_on_chain",
]


@dataclass(frozen=True, eq=False)
class ChainSimulation:
    """A simulation in the contracts' integers.

    Attributes:
        pool: the contract's pool.
        run: its updates, and its weights at every bar.
        result: the simulation with these weights; values are in floating point, as arbitrage is.
        floating: the simulation of the same study in floating point.
        difference: the difference of the two.
    """

    pool: ContractPool
    run: ChainRun
    result: Result
    floating: Result
    difference: Difference

    def to_json(self) -> dict[str, Any]:
        """Returns settings, warnings, and the difference, as JSON values; :mod:`quantsim.onchain.documents` has updates."""
        return {
            "settings": settings_json(self.pool),
            "initialWeights": integers(self.pool.initial_weights),
            **problems_json(self.pool.problems),
            "refused_updates": list(self.run.refused),
            "reverted_updates": reverted_json(self.run),
            "difference": self.difference.to_json(),
        }


def simulate_on_chain(
    experiment: Experiment,
    params: Mapping[str, Any] | None = None,
    prices: PriceData | None = None,
    *,
    split: Split = "train",
    path: Path | str | None = None,
    series: Mapping[str, Any] | None = None,
    chain: Chain | None = None,
) -> ChainSimulation:
    """Simulates a study's pool as its contract would run it, update by update.

    Arguments and errors as for :func:`quantsim.simulator.simulate`.

    Args:
        experiment: the study.
        params: parameters.
        prices: prices.
        split: period.
        path: computation path of the simulation in floating point.
        series: replacements of series.
        chain: block times, oracle delay, late and missing updates; by default, updates come at the start of each chunk and
            read its prices.

    Raises:
        ConfigError: the contracts cannot run this pool.
        ContractError: the pool cannot be created, or its weights cannot be computed.
    """
    contract_pool(experiment, params)  # is refused before anything is loaded
    evaluator = Evaluator(experiment, prices, series)
    floating = simulate_on(evaluator, params, split=split, path=path)
    return chain_simulation(evaluator, params, floating, chain)


def chain_simulation(
    evaluator: Evaluator, params: Mapping[str, Any] | None, floating: Result, chain: Chain | None = None
) -> ChainSimulation:
    """Simulates a pool as its contract would run it, beside a simulation in floating point of the same period.

    Arguments and errors as for :func:`simulate_on_chain`.
    """
    pool, split = contract_pool(evaluator.experiment, params), floating.split
    if chain is not None:
        first, n_bars = period_of(evaluator, split)
        chain.check_missed(bar_seconds(evaluator.prices)[first : first + n_bars : evaluator.chunk_bars][1:])
    run, result = _simulated(evaluator, pool, params, split, chain)
    return ChainSimulation(pool, run, result, floating, difference(run, result, floating))


def chain_results(
    evaluator: Evaluator, params: Mapping[str, Any] | None = None, chain: Chain | None = None
) -> dict[str, Result]:
    """Returns split → simulation in the contracts' integers, each of a new pool; arguments as for :func:`simulate_on_chain`."""
    pool = contract_pool(evaluator.experiment, params)
    return {split: _simulated(evaluator, pool, params, split, chain)[1] for split in evaluator.splits}


def _simulated(
    evaluator: Evaluator, pool: ContractPool, params: Mapping[str, Any] | None, split: str, chain: Chain | None
) -> tuple[ChainRun, Result]:
    first, n_bars = period_of(evaluator, split)
    seconds, prices = bar_seconds(evaluator.prices), pool_prices(evaluator)
    run = run_on_chain(pool, seconds, prices, first, n_bars, evaluator.chunk_bars, chain)
    return run, simulate_on(evaluator, params, split=cast(Split, split), weights=chain_weights(run))


def chain_weights(run: ChainRun) -> NDArray[np.float64]:
    """Returns the weights at every bar, (T, n), scaled to a sum of 1.

    Each multiplier is truncated for itself, so the weights of three tokens or more do not sum to 1 between updates. Swaps
    depend on ratios of weights only, so scaling changes nothing.
    """
    return np.asarray(run.weights / run.weights.sum(axis=1, keepdims=True), dtype=float)


def pool_prices(evaluator: Evaluator) -> NDArray[np.float64]:
    """Returns the prices of the pool's own tokens, (T, n)."""
    tokens = evaluator.experiment.data.tokens
    return evaluator.prices.prices[:, [tokens.index(token) for token in evaluator.experiment.tokens]]
