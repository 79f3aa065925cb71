"""Translates initial parameters: of a rule, of ensemble members, of subsidiaries, and of several parameter sets."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from quantsim.array_types import FloatArray
from quantsim.config.fingerprint.keys import BY_PATH
from quantsim.config.fingerprint.pool import GYROSCOPE, RECLAMM, holdings, member_names, rule_of, subsidiary_values
from quantsim.config.fingerprint.tokens import in_order
from quantsim.config.fingerprint.values import Notes, Values
from quantsim.errors import ConfigError, ParameterError, nearest
from quantsim.parameters import Parameter, ParameterSpec, bind, to_raw
from quantsim.parameters.initial import InitialKind, gaussian_sets, grid_sizes, range_sets
from quantsim.parameters.parameter import in_group
from quantsim.pools.eclp import parameters as eclp
from quantsim.pools.reclamm import parameters as reclamm
from quantsim.rules import get_rule
from quantsim.rules.capping import cap

__all__ = ["INITIAL_KINDS", "own_specs", "parameter_tables"]


INITIAL_KINDS: dict[str, InitialKind] = {
    "gaussian": "gaussian",
    "lhs": "latin_hypercube",
    "centered_lhs": "centered_latin_hypercube",
    "sobol": "sobol",
    "grid": "grid",
}
"""Method of drawing sets and members: quantammsim's name → our name."""

_DIRECT = {
    "initial_memory_length": "memory_days",
    "initial_k_per_day": "k_per_day",
    "initial_log_amplitude": "log_amplitude",
    "initial_raw_width": "raw_width",
    "initial_raw_exponents": "raw_exponents",
    "initial_pre_exp_scaling": "pre_exp_scaling",
}
_SECOND_MEMORIES = ("alt_memory_days", "weight_memory_days")
_DELTA, _LOGITS = "initial_memory_length_delta", "initial_weights_logits"


def parameter_tables(values: Values, notes: Notes) -> dict[str, Any]:
    """Returns the table ``parameters``, and ``sgd.starts`` if initial values have one row per parameter set."""
    rows = _rows(values, notes)
    tables: dict[str, Any] = {"parameters": rows[0]}
    if len(rows) > 1:
        tables["sgd"] = {"starts": rows}
    for name, part in subsidiary_values(values).items():
        (own, *more) = _rows(part, notes)
        if more:
            raise ConfigError(f"subsidary_pools: {name} has several rows of initial values, but can have only one")
        tables["parameters"] = {**tables["parameters"], **{in_group(name, key): value for key, value in own.items()}}
    return tables


def own_specs(values: Values) -> list[ParameterSpec]:
    """Returns the parameters of the rule that are active under the settings of the fingerprint."""
    if rule_of(values) == RECLAMM:
        return [reclamm.price_ratio, reclamm.centeredness_margin, _shift(values)]
    if rule_of(values) == GYROSCOPE:
        return [eclp.alpha, eclp.beta, eclp.phi, eclp.lam]
    settings = {
        "use_alt_lamb": values["use_alt_lamb"],
        "pre_exp_scaling": "log2" if values["use_pre_exp_scaling"] else "off",
    }
    rule = get_rule(rule_of(values))
    opted = {cap.human_name} if values.is_given("cap_weights") else set()
    return [
        spec for spec in rule.parameters if spec.matters(settings) and (not spec.opt_in or spec.human_name in opted)
    ]


def _shift(values: Values) -> ParameterSpec:
    """Returns the parameter that is the speed of a reCLAMM pool's range."""
    return reclamm.shift_exponent if values["reclamm_use_shift_exponent"] else reclamm.daily_price_shift_base


def _rows(values: Values, notes: Notes) -> list[dict[str, Any]]:
    """Returns the parameters of one pool by dotted name: one table, or one per parameter set."""
    if rule_of(values) == RECLAMM:
        fee = {"swap_fee": values["fees"]} if values["reclamm_learn_fees"] else {}
        return [{spec.human_name: values[f"initial_{spec.human_name}"] for spec in own_specs(values)} | fee]
    if rule_of(values) == GYROSCOPE:
        return [_ellipse(values, notes)]
    n_others = len(holdings(values)) - len(values["tokens"])
    given = {path: in_order(values, path, values[path], notes, n_others) for path in (*_DIRECT, _DELTA)}
    _n_rows(values, given)  # checks that all have the same number of rows, or one
    second = given["initial_memory_length"] + given[_DELTA]
    arrays = {name: given[path] for path, name in _DIRECT.items()} | dict.fromkeys(_SECOND_MEMORIES, second)
    if values.is_given("cap_weights"):
        arrays[cap.human_name] = np.asarray(values["cap_weights"])
    specs = own_specs(values)
    names = {name for spec in specs for name in (spec.raw_name, spec.human_name)}
    arrays = {name: array for name, array in arrays.items() if name in names}
    weights = {}
    if values.is_given(_LOGITS) and values[_LOGITS] != BY_PATH[_LOGITS].default:  # equal weights, as here
        weights[_LOGITS] = in_order(values, _LOGITS, values[_LOGITS], notes, n_others)
    n_rows = _n_rows(values, {**arrays, **weights})
    if members := member_names(values):
        if n_rows > 1:
            raise ConfigError("initial values with one row per parameter set are for one member, not an ensemble")
        own = {name: _plain(array, 0) for name, array in arrays.items()}
        bounds = _bounds(values, notes)
        return [
            _of_members(values, specs, members, own)
            | {name: _plain(array, 0) for name, array in weights.items()}
            | bounds
        ]
    every = {**arrays, **weights}
    return [
        {name: _plain(array, row) for name, array in every.items()} | _bounds(values, notes) for row in range(n_rows)
    ]


def _ellipse(values: Values, notes: Notes) -> dict[str, Any]:
    """Returns the parameters of a Gyroscope pool that are given: quantammsim has them beside the fingerprint."""
    angles = [name for name in ("rotation_angle", "phi") if values[name] is not None]
    if len(angles) > 1 and values["rotation_angle"] != values["phi"]:
        raise ConfigError(f"rotation_angle = {values['rotation_angle']} and phi = {values['phi']}: give one of them")
    paths = {name: name for name in ("alpha", "beta", "lam")} | {"phi": angles[0] if angles else "phi"}
    found = {name: values[path] for name, path in paths.items() if values[path] is not None}
    missing = [f"parameters.{name}" for name in paths if name not in found]
    if missing:
        notes.add("rule", f"quantammsim has the ellipse beside its configuration: set {', '.join(missing)}")
    return found


def _n_rows(values: Values, arrays: Mapping[str, FloatArray]) -> int:
    counts = {array.shape[0] for array in arrays.values() if array.ndim == 2 and array.shape[0] > 1}
    n_sets = values["optimisation_settings.n_parameter_sets"]
    if counts - {n_sets}:
        raise ConfigError(
            f"initial values have {' and '.join(map(str, sorted(counts)))} rows, but must have one for each of "
            f"the {n_sets} parameter sets (optimisation_settings.n_parameter_sets), or one"
        )
    return max(counts, default=1)


def _plain(array: FloatArray, row: int) -> Any:
    """Returns one row of a matrix, or the values for all rows, as a number or a list."""
    if array.ndim == 2:
        array = array[row if array.shape[0] > 1 else 0]
    return array.tolist()


def _bounds(values: Values, notes: Notes) -> dict[str, Any]:
    """Returns the bounds of the weights that are parameters."""
    if "bounded__" not in values["rule"] or values["learnable_bounds_settings.freeze_bounds"]:
        return {}
    found = {}
    for end, name in (("min", "minimum_weights"), ("max", "maximum_weights")):
        path = f"learnable_bounds_settings.{end}_weights_per_asset"
        found[name] = in_order(values, path, values[path], notes).tolist()
    return found


def _of_members(
    values: Values, specs: list[ParameterSpec], members: tuple[str, ...], own: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns different initial values for each member. Members with equal values would have equal gradients and stay equal.

    With ``gaussian``, the first member has the given values, and the others have noise of ``ensemble_init_scale`` on their raw
    values. With the other methods, all members are points in the ranges of the parameters.
    """
    layout = bind(specs, tuple(holdings(values)), values["chunk_period"])
    try:
        raw = to_raw(layout, own)
    except ParameterError as error:
        raise ConfigError(f"initial values: {error}") from error
    method = values["ensemble_init_method"]
    if method not in INITIAL_KINDS:
        raise ConfigError(f"ensemble_init_method = {method!r}: {nearest(method, INITIAL_KINDS)}")
    n, seed = len(members), values["ensemble_init_seed"]
    if method == "gaussian":
        scale = values["ensemble_init_scale"]
        sets = gaussian_sets(raw, n, moved=set(raw), spread=scale, seed=seed)
        first = {in_group(members[0], name): value for name, value in own.items()}
        return first | {
            in_group(member, name): rows[index].tolist()
            for index, member in list(enumerate(members))[1:]
            for name, rows in sets.items()
        }
    points = _points(INITIAL_KINDS[method], layout, raw, n, seed, values["max_memory_days"])
    return {
        in_group(member, name): rows[index].tolist()
        for index, member in enumerate(members)
        for name, rows in points.items()
    }


def _points(
    kind: InitialKind, layout: tuple[Parameter, ...], raw: Mapping[str, FloatArray], n: int, seed: int, longest: float
) -> dict[str, FloatArray]:
    """Returns ``n`` points in the ranges, raw name → (n, m). From a larger grid, evenly spaced points are chosen."""
    n_points = n
    if kind == "grid":
        n_sides = sum(parameter.size for parameter in layout)
        n_points = next(count for count in range(n, 2 * (n + 1) ** 2) if _is_grid(count, n_sides))
    sets = range_sets(kind, layout, raw, n_points + 1, moved=set(raw), seed=seed, max_memory_days=longest)
    chosen = [1 + math.floor(index * n_points / n) for index in range(n)]  # the first is the centre
    return {name: rows[chosen] for name, rows in sets.items()}


def _is_grid(n_points: int, n_sides: int) -> bool:
    try:
        grid_sizes(n_points, n_sides)
    except ParameterError:
        return False
    return True
