"""The arguments that create a pool's contract, and a replay of its updates, to check a deployment with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from quantsim.config import Experiment
from quantsim.config.pools import pool_of
from quantsim.errors import PriceError
from quantsim.onchain.chain import Chain, bar_seconds
from quantsim.onchain.documents import (
    factory_json,
    integers,
    problems_json,
    reverted_json,
    settings_json,
    state_json,
    update_json,
)
from quantsim.onchain.run import run_on_chain, warmed_up
from quantsim.onchain.settings import ContractPool, translated
from quantsim.prices import Prices

__all__ = ["REPLAY_DAYS", "contract_document"]

REPLAY_DAYS = 30
"""Days at the end of the prices that a replay covers by default."""

_MOST_UPDATES = 1_000  # of a replay, which is a file
_DAY = 86_400


def contract_document(
    experiment: Experiment,
    params: Mapping[str, Any] | None = None,
    prices: Prices | None = None,
    *,
    group: str = "",
    days: int = REPLAY_DAYS,
) -> dict[str, Any]:
    """Returns what to create a pool's contract with, as JSON values.

    Args:
        experiment: the study.
        params: parameters as in :meth:`Experiment.initial_parameters`.
        prices: prices of the study's tokens; without them there are neither initial states of the rule nor a replay.
        group: name of a subsidiary; by default, the study's own pool.
        days: days at the end of the prices to replay; at most the last 1,000 updates are.

    Returns:
        ``refused`` and ``warnings``: what the contract cannot do, and what it does differently. ``creation``: the arguments of
        the factory's ``create``. ``replay``: updates, step by step. Both are None if anything is refused. For E-CLPs see
        :func:`quantsim.onchain.eclp.eclp_document`; they have no updates.
    """
    view = next(view for view in experiment.pools if view.group == group)
    if pool_of(view).name == "eclp":
        from quantsim.onchain.eclp import eclp_document

        return eclp_document(experiment, params, group)
    pool, problems = translated(experiment, params, group)
    document: dict[str, Any] = {**problems_json(problems), "creation": None, "replay": None}
    if pool is None or document["refused"]:
        return document
    replay, state = None, None
    if prices is not None:
        replay, state = _replay_json(experiment, pool, prices, days=days)
    return {**document, "creation": _creation_json(pool, state), "replay": replay}


def _creation_json(pool: ContractPool, state: Mapping[str, list[str]] | None = None) -> dict[str, Any]:
    """Returns ``CreationNewPoolParams`` of ``QuantAMMWeightedPoolFactory``, in its order; None where the study does not decide.

    Arrays are in the order of ``tokens``. Vaults register tokens in the order of their addresses: sort all arrays alike.

    Args:
        pool: the pool.
        state: the rule's state at the time of creation, as :func:`~quantsim.onchain.documents.state_json` gives it.
    """
    settings, weights = settings_json(pool), integers(pool.initial_weights)
    return {
        **factory_json(pool.tokens, pool.swap_fee, {"normalizedWeights": weights}),
        "_initialWeights": weights,
        "_poolSettings": {
            "assets": list(pool.tokens),
            "rule": settings["rule"],
            "oracles": None,
            "updateInterval": settings["updateInterval"],
            "lambda": settings["lambda"],
            "epsilonMax": settings["epsilonMax"],
            "absoluteWeightGuardRail": settings["absoluteWeightGuardRail"],
            "maxTradeSizeRatio": None,
            "ruleParameters": settings["ruleParameters"],
            "poolManager": None,
        },
        "_initialMovingAverages": None if state is None else state["movingAverages"],
        "_initialIntermediateValues": None if state is None else state["intermediateValues"],
        "_oracleStalenessThreshold": None,
        "poolRegistry": None,
        "poolDetails": None,
    }


def _replay_json(
    experiment: Experiment, pool: ContractPool, prices: Prices, *, days: int = REPLAY_DAYS
) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Returns a replay of the last days of prices, and the rule's state after the last update of the prices.

    The pool is created at the first bar of the replay with the study's initial weights, and with the state that its rule has
    after ``max_memory_days`` of prices before. Updates come at the start of each chunk and read its prices.

    Raises:
        PriceError: the prices lack a token, or do not reach back far enough for one update.
    """
    view = next(
        view for view in experiment.pools if view.tokens == pool.tokens and pool.name in (view.group, experiment.name)
    )
    missing = [token for token in pool.tokens if token not in prices.tokens]
    if missing:
        raise PriceError(f"the prices have no token {missing[0]!r}; they have {', '.join(prices.tokens)}")
    values = prices.prices[:, [prices.tokens.index(token) for token in pool.tokens]]
    seconds = bar_seconds(prices)
    chunk_bars = view.update.chunk_minutes // prices.bar_minutes
    phase = prices.index_of(experiment.periods.train_start) % chunk_bars
    starts = np.arange(phase, prices.n_bars, chunk_bars)
    memory = int(view.update.max_memory_days * _DAY)
    first = int(starts[max(np.searchsorted(seconds[starts], seconds[-1] - days * _DAY, side="right") - 1, 0)])
    first = max(first, int(starts[-min(starts.size, _MOST_UPDATES + 1)]))
    if first >= starts[-1]:
        raise PriceError(f"the last {days} days of prices have no update: take more days than an interval")
    begin = int(starts[np.searchsorted(seconds[starts], seconds[first] - memory)])
    run = run_on_chain(pool, seconds[begin:], values[begin:], first - begin, prices.n_bars - first, chunk_bars)
    last = warmed_up(pool.settings, values[begin : int(starts[-1]) + 1 : chunk_bars], Chain())
    start = {"time": int(seconds[first]), "weights": integers(run.pool.weights), **state_json(run.start)}
    return {
        "days": days,
        "start": start,
        "updates": [update_json(update) for update in run.updates],
        "reverted": reverted_json(run),
    }, state_json(last)
