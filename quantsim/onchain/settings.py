"""The settings of a pool's contract, from a study and its parameters, and what the contract cannot do of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from quantsim.config import Experiment
from quantsim.config.pools import pool_of, pool_parameters
from quantsim.contract.fixed_point import ONE, div, power
from quantsim.contract.rules import RULES
from quantsim.contract.rules.base import ContractRule
from quantsim.contract.update import Settings
from quantsim.errors import ConfigError, ContractError
from quantsim.parameters import common
from quantsim.parameters.onchain import as_written, fixed_point, fixed_weights, on_chain
from quantsim.pools.settings import PoolView
from quantsim.pools.steered.hours import HoursSettings
from quantsim.pools.steered.steering import SteeredSettings, tuned_bounds, weight_bounds

__all__ = [
    "MOST_TOKENS",
    "ContractPool",
    "Problem",
    "contract_pool",
    "contract_problems",
    "contract_swap_fee",
    "translated",
    "update_interval",
]

MOST_TOKENS = 8
"""The most tokens of a pool of the contracts."""

_LEAST_RAIL = ONE // 100
_LEAST_FEE, _LARGEST_FEE, _FEE_DIGIT = ONE // 100_000, ONE // 10, 10**11
_LARGEST_INTERVAL_16 = 2**16 - 1

# Rules of quantsim → rules of the contracts.
_RULES = {
    "momentum": "Momentum",
    "anti_momentum": "AntiMomentum",
    "difference_momentum": "DifferenceMomentum",
    "power_channel": "PowerChannel",
    "mean_reversion_channel": "ChannelFollowing",
    "min_variance": "MinimumVariance",
}

_INVERSE_SCALING = 5415 * 10**14  # 0.5415, as the rule has it


@dataclass(frozen=True)
class Problem:
    """What a contract cannot do as the study does.

    Attributes:
        text: the setting or parameter, its value, and the remedy.
        refused: whether the contract would refuse it, or would be another strategy; otherwise it does nearly the same.
    """

    text: str
    refused: bool = True


@dataclass(frozen=True)
class ContractPool:
    """A pool of the contracts.

    Attributes:
        name: name of the pool.
        tokens: its tokens.
        settings: settings that updates read.
        initial_weights: (n,) initial weights with 18 decimals, with a sum of 1.
        swap_fee: swap fee with 18 decimals; None if it varies, or is out of the contract's range.
        problems: what the contract does differently.
    """

    name: str
    tokens: tuple[str, ...]
    settings: Settings
    initial_weights: tuple[int, ...]
    swap_fee: int | None
    problems: tuple[Problem, ...]


def contract_pool(experiment: Experiment, params: Mapping[str, Any] | None = None, group: str = "") -> ContractPool:
    """Returns the contract's pool of a study.

    Args:
        experiment: the study.
        params: parameters as in :meth:`Experiment.initial_parameters`.
        group: name of a subsidiary; by default, the study's own pool.

    Raises:
        ConfigError: the contracts cannot run this pool; the message lists the reasons.
        ParameterError: a parameter is unknown, or has a wrong shape or value.
    """
    found, problems = translated(experiment, params, group)
    refused = [problem.text for problem in problems if problem.refused]
    if found is None or refused:
        name = group or experiment.name
        raise ConfigError(f"the contracts cannot run the pool of {name!r}: {'; '.join(refused)}")
    return found


def contract_problems(
    experiment: Experiment, params: Mapping[str, Any] | None = None, group: str = ""
) -> tuple[Problem, ...]:
    """Returns what the contracts cannot do of a study's pool. Arguments as for :func:`contract_pool`."""
    return translated(experiment, params, group)[1]


def update_interval(view: PoolView) -> int:
    """Returns the seconds between updates."""
    return 60 * view.update.chunk_minutes


def translated(
    experiment: Experiment, params: Mapping[str, Any] | None = None, group: str = ""
) -> tuple[ContractPool | None, tuple[Problem, ...]]:
    """Returns the contract's pool, None if its kind is refused, and all problems; arguments as for :func:`contract_pool`."""
    raw = experiment.initial_parameters(params)
    view = next(view for view in experiment.pools if view.group == group)
    problems = _pool_problems(experiment, view)
    name = _RULES.get(view.pool.rule_names[0]) if len(view.pool.rule_names) == 1 else None
    if name is None or not isinstance(view.pool, SteeredSettings) or any(problem.refused for problem in problems):
        return None, tuple(problems)
    values = _values(view, raw)
    rows, lambdas, of_rule = _rule_rows(view, RULES[name], values)
    n_tokens = len(view.tokens)
    lower, fastest = min(weight_bounds(view)[0]), view.update.maximum_change_per_minute
    settings = Settings(
        rule=RULES[name],
        parameters=rows,
        lambdas=lambdas,
        epsilon_max=min(int(fixed_point(as_written(fastest) * view.interpolation_minutes)), ONE),
        guard_rail=int(fixed_point(as_written(lower))),
        update_interval=update_interval(view),
    )
    weights = values.get(common.initial_weights.raw_name, (1.0 / n_tokens,) * n_tokens)
    initial = tuple(map(int, fixed_weights(weights)))
    problems += [*of_rule, *_setting_problems(settings, initial, n_tokens)]
    fee, of_fee = contract_swap_fee(experiment, view, values)
    problems += of_fee
    pool = ContractPool(view.group or experiment.name, view.tokens, settings, initial, fee, tuple(problems))
    return pool, pool.problems


def _values(view: PoolView, raw: Mapping[str, Any]) -> dict[str, tuple[float, ...]]:
    """Returns raw name → values on chain, of the active parameters."""
    found = on_chain(pool_parameters(view), raw, view.update.max_memory_days)
    return {each.parameter.spec.raw_name: each.values for each in found}


def _pool_problems(experiment: Experiment, view: PoolView) -> list[Problem]:
    """Returns what the contracts cannot do: types of pools, and settings of the study."""
    where = f"subsidiaries.{view.group}." if view.group else ""
    update, rules, pool = view.update, view.pool.rule_names, pool_of(view)
    found = []
    if pool.name != "weighted":
        found.append(Problem(f"{where}pool.type = {pool.name!r}: QuantAMM's contracts run weighted pools only"))
    elif len(rules) != 1:
        found.append(Problem(f"{where}pool.ensemble: a contract has one rule; the rules are {', '.join(_RULES)}"))
    elif rules[0] not in _RULES:
        found.append(
            Problem(f"{where}pool.rule = {rules[0]!r}: the contracts lack this rule; they have {', '.join(_RULES)}")
        )
    inside = [token for token in view.tokens if token not in experiment.data.tokens]
    if inside:
        found.append(Problem(f"{where}pool.tokens: {inside[0]!r} is a pool, and pools cannot hold each other's shares"))
    if len(view.tokens) > MOST_TOKENS:
        found.append(Problem(f"{len(view.tokens)} tokens: a pool has at most {MOST_TOKENS}"))
    found += [Problem(f"{setting}: no contract does this") for setting in view.published]
    if update.interpolation not in ("linear", "published_optimal"):
        found.append(
            Problem(f"{where}update.interpolation = {update.interpolation!r}: contracts interpolate linearly", False)
        )
    if view.interpolation_minutes != update.chunk_minutes:
        text = f"{where}update.interpolation_minutes = {view.interpolation_minutes}: contracts move weights over the whole "
        found.append(Problem(f"{text}interval of {update.chunk_minutes} minutes", False))
    if (
        pool.name == "weighted"
        and isinstance(view.pool, HoursSettings)
        and view.pool.is_closed_at_times(update.chunk_minutes)
    ):
        hours = view.pool.trading_minutes
        text = f"{where}pool.trading_minutes = {hours}: contracts trade at any time; a hook would have to refuse swaps"
        found.append(Problem(text))
    if isinstance(view.pool, SteeredSettings) and pool.name == "weighted":
        found += _bound_problems(view, where)
    return found


def _bound_problems(view: PoolView, where: str) -> list[Problem]:
    settings = cast(SteeredSettings, view.pool)
    if tuned_bounds(view):
        name = tuned_bounds(view)[0].human_name
        return [Problem(f"parameters.{name}: a contract has one guard rail for all tokens; set pool.minimum_weight")]
    lower, upper = weight_bounds(view)
    found = []
    if len(set(lower)) > 1:
        text = (
            f"{where}pool.minimum_weight = {list(lower)}: a contract has one guard rail for all tokens; set one number"
        )
        found.append(Problem(text))
    highest = 1.0 - (len(lower) - 1) * min(lower)
    if settings.maximum_weight is not None and min(upper) < highest - 1e-12:
        text = f"a contract's is 1 - (n-1)·minimum_weight = {highest:g}; leave it out"
        found.append(Problem(f"{view.told('maximum_weight')}: {text}"))
    return found


def contract_swap_fee(
    experiment: Experiment,
    view: PoolView,
    values: Mapping[str, Any],
    least: int = _LEAST_FEE,
    largest: int = _LARGEST_FEE,
) -> tuple[int | None, list[Problem]]:
    """Returns the swap fee with 18 decimals, None if a contract has no such fee, and what it does differently.

    Args:
        experiment: the study.
        view: the pool.
        values: raw name → values on chain, with the swap fee if it is a parameter.
        least: the contract's least fee, with 18 decimals.
        largest: the contract's largest fee.
    """
    where = f"subsidiaries.{view.group}." if view.group else ""
    if view.fees.rule is not None or (not view.group and "swap_fee" in experiment.series.costs):
        which = f"fees.rule = {view.fees.rule!r}" if view.fees.rule is not None else "series.swap_fee"
        return None, [Problem(f"{where}{which}: the swap fee varies over time, and a contract's is one number", False)]
    tuned = values.get(common.swap_fee.raw_name)
    fee = int(fixed_point(as_written(view.fees.swap_fee) if tuned is None else tuned[0]))
    if not least <= fee <= largest:
        limits = f"a contract's is from {least / ONE:g} to {largest / ONE:g}"
        return None, [Problem(f"{where}fees.swap_fee = {fee / ONE:g}: {limits}", False)]
    if fee % _FEE_DIGIT:
        fee -= fee % _FEE_DIGIT
        return fee, [Problem(f"{where}fees.swap_fee: the vault stores it in steps of 1e-7, as {fee / ONE:g}", False)]
    return fee, []


def _rule_rows(
    view: PoolView, rule: ContractRule, values: Mapping[str, tuple[float, ...]]
) -> tuple[tuple[tuple[int, ...], ...], tuple[int, ...], list[Problem]]:
    """Returns the rows of parameters, the decays, and what of the rule the contract cannot do."""
    lambdas, kappa = _fixed(values["logit_lamb"]), values.get("log_k", ())
    off, problems = (0,), _memory_problems(rule, lambdas)
    if rule.name in ("Momentum", "AntiMomentum"):
        rows: list[tuple[int, ...]] = [_fixed(kappa), off]
    elif rule.name == "DifferenceMomentum":
        # 1 - e2/e1 = -(e2 - e1)/e1: the pool's average is the first one, the rule's own the second, and κ is negative.
        rows = [tuple(-value for value in _fixed(kappa)), _fixed(values["logit_delta_lamb"])]
    elif rule.name == "PowerChannel":
        exponents = tuple(max(value, 1.0) for value in values["raw_exponents"])
        rows = [_fixed(kappa), _fixed(exponents), off]
        problems += _scaling_problems(values)
    elif rule.name == "ChannelFollowing":
        each = [kappa, *(values[name] for name in ("raw_width", "log_amplitude", "raw_exponents"))]
        inverse = (_INVERSE_SCALING,) * len(kappa)
        rows = [*map(_fixed, each), inverse, _fixed(_scaling(values, len(kappa))), off]
    else:
        persistence = values["logit_delta_lamb"]
        rows = [_fixed(persistence)]
        text = (
            "the contract's variance is that of prices, not of returns: the token with the lower price gets most of "
            "the weight; and it starts at equal weights"
        )
        problems.append(Problem(f"pool.rule = 'min_variance': {text}", refused=False))
    if view.update.use_alt_lamb and rule.name not in ("DifferenceMomentum", "MinimumVariance"):
        problems.append(Problem("update.use_alt_lamb: the slope's divisor has no memory of its own in a contract"))
    lambdas, rows = _shortened(lambdas, rows, rule)
    return tuple(rows), lambdas, problems


def _shortened(
    lambdas: tuple[int, ...], rows: list[tuple[int, ...]], rule: ContractRule
) -> tuple[tuple[int, ...], list[tuple[int, ...]]]:
    """Writes one value for all tokens where they are all equal; some rules need this of all rows at once."""
    if len(set(lambdas)) == 1:
        lambdas = lambdas[:1]
    if all(len(set(row)) == 1 for row in rows):
        return lambdas, [row[:1] for row in rows]
    if rule.name == "DifferenceMomentum":
        return lambdas, [row[:1] if len(set(row)) == 1 else row for row in rows]
    return lambdas, rows


def _scaling(values: Mapping[str, tuple[float, ...]], n_tokens: int) -> tuple[float, ...]:
    """Returns the scaling ``α`` before the power, as in the rule."""
    for name in ("raw_pre_exp_scaling", "logit_pre_exp_scaling"):
        if name in values:
            return values[name]
    return (0.5,) * n_tokens


def _scaling_problems(values: Mapping[str, tuple[float, ...]]) -> list[Problem]:
    scaling = _scaling(values, 1)
    if all(value == 0.5 for value in scaling):
        return []
    text = f"pre_exp_scaling = {', '.join(f'{value:g}' for value in scaling)}"
    remedy = "the contract's power channel has no scaling before the power; set update.pre_exp_scaling = 'off'"
    return [Problem(f"{text}: {remedy}")]


def _memory_problems(rule: ContractRule, lambdas: Sequence[int]) -> list[Problem]:
    """Returns the problems of decays that 18 decimals cannot represent."""
    found = []
    for value in dict.fromkeys(lambdas):
        if not 0 < value < ONE:
            text = f"memory_days: λ = {value / ONE:.18g} with 18 decimals, and must be between 0 and 1"
            found.append(Problem(f"{text}; take a memory that is {'longer' if value <= 0 else 'shorter'}"))
        elif rule.name not in ("DifferenceMomentum", "MinimumVariance"):
            found += _factor_problems(value)
    return found


def _factor_problems(decay: int) -> list[Problem]:
    """Returns the problem if ``(1-λ)³/λ``, the factor of the gradient, has too few digits."""
    rest = (ONE - decay) / ONE
    exact = rest**3 / (decay / ONE)
    factor = div(power(ONE - decay, 3 * ONE), decay) / ONE
    error = abs(factor / exact - 1.0)
    if error < 1e-3:
        return []
    text = f"memory_days: with λ = {decay / ONE:.12g} the gradient's factor (1-λ)³/λ is {factor:.4g} instead of {exact:.4g}"
    return [Problem(f"{text} with 18 decimals; take longer chunks or a shorter memory", refused=error > 0.5)]


def _setting_problems(settings: Settings, initial: tuple[int, ...], n_tokens: int) -> list[Problem]:
    """Returns what the contracts' checks refuse: ``validParameters`` of the rule, ``_initialisationCheck`` of the factory."""
    found = []
    reason = settings.rule.problem(settings.parameters, n_tokens)
    if reason is not None:
        found.append(Problem(reason))
    rail = settings.guard_rail
    if not _LEAST_RAIL <= rail < ONE // n_tokens:
        limits = f"from {_LEAST_RAIL / ONE:g} to below 1/{n_tokens}"
        found.append(Problem(f"pool.minimum_weight = {rail / ONE:g}: absoluteWeightGuardRail must be {limits}"))
    if settings.epsilon_max <= 0:
        found.append(Problem("update.maximum_change_per_minute: epsilonMax is 0 with 18 decimals, and must be above"))
    low = [weight for weight in initial if weight < rail]
    if low:
        found.append(Problem(f"initial_weights: {low[0] / ONE:g} is below the guard rail {rail / ONE:g}"))
    if settings.update_interval > _LARGEST_INTERVAL_16:
        text = f"update.chunk_minutes: an interval of {settings.update_interval:,} s needs contracts with a uint40 interval"
        found.append(Problem(f"{text}; until 2025 it was uint16, at most {_LARGEST_INTERVAL_16:,} s", False))
    return found


def _fixed(values: Sequence[float]) -> tuple[int, ...]:
    """Returns values with 18 decimals, exactly rounded.

    Raises:
        ContractError: a value does not fit into 256 bits.
    """
    found = []
    for value in values:
        fixed = int(fixed_point(value))
        if not math.isfinite(value) or abs(fixed) >= 2**255:
            raise ContractError(f"{value:g} does not fit into 256 bits with 18 decimals")
        found.append(fixed)
    return tuple(found)
