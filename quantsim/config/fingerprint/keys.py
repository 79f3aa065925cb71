"""The table of all keys of quantammsim's configuration dictionary, and how each one is handled.

The translation uses this table, and docs/fingerprints.md shows it. A key is

* **copied**: one key of a study has the same meaning;
* **translated**: code of this package reads it, often together with other keys;
* **checked**: it repeats other keys, and must agree with them;
* **refused**: only certain values are supported;
* **internal**: it is for the internals of quantammsim; there is a warning if it is not at its default.

There is also a warning for every key that is not at its default but changes nothing in the study.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["BY_PATH", "KEYS", "RANGES", "REQUIRED", "TABLES", "Key", "Range"]

Handling = Literal["copied", "translated", "checked", "refused", "internal"]


@dataclass(frozen=True)
class Key:
    """One key.

    Attributes:
        path: name in quantammsim, with its tables.
        kind: type of the value; None if the translation checks it.
        default: default in quantammsim.
        handling: how the key is handled.
        to: the corresponding key or keys of a study.
        note: differences in meaning, when the key applies, or why it is refused.
        allowed: the supported values of a refused key.
    """

    path: str
    kind: type | None
    default: Any
    handling: Handling
    to: str = ""
    note: str = ""
    allowed: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Range:
    """One table of ``parameter_config``.

    Attributes:
        name: name in quantammsim.
        parameters: human-readable names of the parameters with this range; a rule has at most one of them.
        raw: whether the ends are raw values.
        low: default of the lower end.
        high: default of the upper end.
        log: default of ``log_scale``.
    """

    name: str
    parameters: tuple[str, ...]
    raw: bool
    low: float
    high: float
    log: bool


_OPT = "optimisation_settings."
_OPTUNA = _OPT + "optuna_settings."
_BFGS, _CMA = _OPT + "bfgs_settings.", _OPT + "cma_es_settings."
_BOUNDS = "learnable_bounds_settings."
_PERIODS = "multi_period."

REQUIRED = ("tokens", "rule", "startDateString", "endDateString")

RANGES = (
    Range("memory_length", ("memory_days",), False, 1.0, 200.0, True),
    Range("memory_length_delta", (), False, 0.1, 100.0, True),
    Range("log_k", ("k_per_day",), True, -10.0, 10.0, False),
    Range("k_per_day", ("k_per_day",), False, 0.1, 1000.0, True),
    Range("weights_logits", (), True, -10.0, 10.0, False),
    Range("log_amplitude", ("amplitude_per_day",), True, -10.0, 10.0, False),
    Range("raw_width", ("width",), True, -10.0, 10.0, False),
    Range("raw_exponents", ("exponents",), True, 0.0, 10.0, False),
    Range("raw_pre_exp_scaling", ("pre_exp_scaling",), True, -10.0, 10.0, False),
    Range("memory_days_1", ("memory_days",), False, 0.5, 200.0, True),
    Range("memory_days_2", ("alt_memory_days", "weight_memory_days"), False, 0.5, 200.0, True),
    Range("logit_lamb", ("memory_days",), True, -10.0, 10.0, False),
)
"""The tables of ``parameter_config``. If several belong to one parameter, the given one counts, else the first."""

_RANGE_NOTES = {
    "memory_length_delta": "the difference of two memories has no range here: set `search.ranges.alt_memory_days`",
    "weights_logits": "initial weights are not searched, here or in quantammsim",
}


def _copied(path: str, kind: type, default: Any, to: str, note: str = "") -> Key:
    return Key(path, kind, default, "copied", to, note)


def _translated(path: str, kind: type | None, default: Any, to: str, note: str = "") -> Key:
    return Key(path, kind, default, "translated", to, note)


def _refused(path: str, allowed: tuple[Any, ...], note: str, to: str = "") -> Key:
    return Key(path, None, allowed[0], "refused", to, note, allowed)


def _internal(path: str, kind: type | None, default: Any, note: str) -> Key:
    return Key(path, kind, default, "internal", "", note)


def _ranges() -> Iterator[Key]:
    for one in RANGES:
        table = f"{_OPTUNA}parameter_config.{one.name}."
        to = " or ".join(f"search.ranges.{name}" for name in one.parameters)
        note = _RANGE_NOTES.get(one.name, "only if the rule has the parameter")
        yield _translated(table + "low", float, one.low, to and f"{to}: low", note)
        yield _translated(table + "high", float, one.high, to and f"{to}: high", note)
        yield _translated(table + "log_scale", bool, one.log, to and f"{to}: log", note)
        yield _translated(table + "scalar", bool, False, to and f"{to}: scalar", note)


KEYS: tuple[Key, ...] = (
    # The pool.
    _translated("tokens", list, ["BTC", "ETH", "USDC"], "data.tokens",
                "in the given order; quantammsim sorts tokens, so lists with one value per token are reordered"),
    _translated("rule", str, "mean_reversion_channel", "pool.rule, pool.ensemble",
                "also after `ensemble__` and `bounded__`; `reclamm` is a `pool.type`; for index pools, `lvr__` and `rvr__` "
                "see above; `gyroscope` is the `pool.type` `eclp`"),
    _copied("initial_pool_value", float, 1_000_000.0, "pool.initial_value_usd"),
    _translated("minimum_weight", float, None, "pool.minimum_weight", "default 0.1/n"),
    _copied("do_arb", bool, True, "pool.do_arb"),
    _copied("arb_frequency", int, 1, "pool.arb_frequency"),
    _translated("arb_quality", float, 1.0, "pool.arb_quality, pool.published_band_trades", "for `cow` pools"),
    _translated("subsidary_pools", list, [], "subsidiaries, pool.tokens",
                "tables with `tokens`, `rule` (or `update_rule`), and fees, limits and initial values if they differ"),
    _translated(_BOUNDS + "min_weights_per_asset", list, None, "pool.minimum_weight, parameters.minimum_weights",
                "only with `bounded__` before the rule; a parameter, unless `freeze_bounds` is set"),
    _translated(_BOUNDS + "max_weights_per_asset", list, None, "pool.maximum_weight, parameters.maximum_weights",
                "as min_weights_per_asset"),
    _translated(_BOUNDS + "freeze_bounds", bool, False, "pool.minimum_weight, pool.maximum_weight", "only with `bounded__`"),
    _translated("cap_weights", float, None, "parameters.cap", "for index pools; found exactly here, see above"),
    _translated("annual_streaming_fee", float, 0.04, "pool.annual_fee", "for `trad_hodling_index_market_cap`"),
    Key("n_assets", int, None, "checked", "", "must be the number of tokens"),
    # Updates.
    _copied("chunk_period", int, 1440, "update.chunk_minutes"),
    _translated("weight_interpolation_period", int, 1440, "update.interpolation_minutes",
                "default at most `chunk_period`"),
    _translated("weight_interpolation_method", str, "linear", "update.interpolation",
                "`linear`, or `approx_optimal`, which is `published_optimal` here"),
    _copied("maximum_change", float, 3e-4, "update.maximum_change_per_minute"),
    _copied("max_memory_days", float, 365.0, "update.max_memory_days"),
    _copied("use_alt_lamb", bool, False, "update.use_alt_lamb"),
    _translated("use_pre_exp_scaling", bool, True, "update.pre_exp_scaling"),
    # Costs.
    _copied("fees", float, 0.0, "fees.swap_fee"),
    _copied("arb_fees", float, 0.0, "fees.arb_fee"),
    _copied("gas_cost", float, 0.0, "fees.gas_cost_usd", "of the main pool; subsidiaries have none"),
    _copied("noise_trader_ratio", float, 0.0, "fees.noise_trader_ratio"),
    _copied("protocol_fee_split", float, 0.0, "fees.protocol_fee_split"),
    _refused("do_trades", (False,), "name the file of swaps in the study", "series.trades"),
    # Data and periods.
    _translated("startDateString", str, "2023-01-01 00:00:00", "periods.train_start"),
    _translated("endDateString", str, "2023-06-01 00:00:00", "periods.train_end, periods.validation_end"),
    _translated("endTestDateString", str, None, "periods.test_end", "default: no test period"),
    _translated(_OPT + "val_fraction", float, 0.2, "periods.train_end",
                "validation is the end of the training period; it starts with a chunk"),
    _refused("freq", ("minute",), "the bar length is that of the prices", "data.bar_minutes"),
    _translated("numeraire", str, None, "data.tokens",
                "only for `gyroscope`, whose second token it is; by default the last one in sorted order"),
    _refused(_OPT + "training_data_kind", ("historic",), "synthetic prices are not generated here; give a file", "data.source"),
    # The objective.
    _translated("return_val", str, "daily_log_sharpe", "objective.metric, search.objectives"),
    _translated("bout_offset", int, 10080, "objective.bout_offset_days, objective.period_overlap",
                "in minutes; a search uses 20 evenly placed and 20 random windows, which are shorter than training by this"),
    _translated("turnover_penalty", float, 0.0, "objective.weights.turnover",
                "divided by 720: quantammsim sums both directions per minute, of the reserves' weights, not of target weights"),
    # Initial values: a number, one per token, or one row per parameter set.
    _translated("initial_memory_length", None, 10.0, "parameters.memory_days"),
    _translated("initial_memory_length_delta", None, 0.0, "parameters.alt_memory_days, parameters.weight_memory_days",
                "the second memory minus the first; only if there is a second one"),
    _translated("initial_k_per_day", None, 20.0, "parameters.k_per_day", "only if the rule has it"),
    _translated("initial_weights_logits", None, 1.0, "parameters.initial_weights_logits, parameters.initial_weights"),
    _translated("initial_log_amplitude", None, 0.0, "parameters.log_amplitude", "only if the rule has it"),
    _translated("initial_raw_width", None, 0.0, "parameters.raw_width", "only if the rule has it"),
    _translated("initial_raw_exponents", None, 0.0, "parameters.raw_exponents", "only if the rule has it"),
    _translated("initial_pre_exp_scaling", None, 0.5, "parameters.pre_exp_scaling", "only if the rule has it and uses it"),
    # Ensembles.
    _translated("n_ensemble_members", int, 1, "pool.ensemble", "in quantammsim only with `ensemble__` before the rule"),
    _translated("ensemble_init_method", str, "gaussian", "parameters.member2, …",
                "`gaussian`, `lhs`, `centered_lhs`, `sobol` or `grid`; with several members; the random numbers differ"),
    _translated("ensemble_init_scale", float, 0.5, "parameters.member2, …", "only for `gaussian`; others use the ranges"),
    _translated("ensemble_init_seed", int, 42, "parameters.member2, …", "only if members are drawn"),
    # Which driver, and the gradients.
    _translated(_OPT + "method", str, "gradient_descent", "driver",
                "`gradient_descent` is sgd, `optuna` search, `bfgs` sgd with L-BFGS, `cma_es` search with CMA-ES"),
    _copied(_OPT + "initial_random_key", int, 0, "seed", "the random numbers differ"),
    _translated(_OPT + "optimiser", str, "adamw", "sgd.optimiser", "`adam`, `adamw` or `sgd`"),
    _copied(_OPT + "base_lr", float, 0.1, "sgd.learning_rate"),
    _translated(_OPT + "weight_decay", float, 0.01, "sgd.weight_decay", "only for adamw"),
    _translated(_OPT + "n_iterations", int, 1000, "sgd.steps", "not for `bfgs` and multi-period training, which have others"),
    _translated(_OPT + "batch_size", int, 8, "sgd.batch_size", "not for multi-period training, which has one window"),
    _translated(_OPT + "n_parameter_sets", int, 4, "sgd.n_parameter_sets", "not for multi-period training, which has one"),
    _copied(_OPT + "noise_scale", float, 0.1, "sgd.initial_spread"),
    _translated(_OPT + "parameter_init_method", str, "gaussian", "sgd.initial",
                "`gaussian`, `sobol`, `lhs` or `centered_lhs`; all but `gaussian` use the ranges of the parameters"),
    _translated(_OPT + "sample_method", str, "uniform", "sgd.sampling", "`uniform`, `exponential` or `stratified`"),
    _translated(_OPT + "use_gradient_clipping", bool, True, "sgd.clip_norm", "not for the optimiser `sgd`"),
    _translated(_OPT + "clip_norm", float, 10.0, "sgd.clip_norm",
                "only with use_gradient_clipping, and not for the optimiser `sgd`"),
    _translated(_OPT + "lr_schedule_type", str, "constant", "sgd.schedule",
                "`constant`, `cosine`, `warmup_cosine` or `exponential`; the optimiser `sgd` always uses a plateau"),
    _translated(_OPT + "lr_decay_ratio", float, 1000.0, "sgd.final_fraction", "the inverse; only for schedules that decay"),
    _translated(_OPT + "warmup_steps", int, 100, "sgd.warmup_steps", "only for `warmup_cosine`"),
    _translated(_OPT + "use_plateau_decay", bool, False, "sgd.schedule",
                "`plateau`; only with a constant schedule; the optimiser `sgd` always uses a plateau"),
    _translated(_OPT + "decay_lr_plateau", int, 100, "sgd.plateau_patience",
                "only with use_plateau_decay and a constant schedule, or with the optimiser `sgd`"),
    _translated(_OPT + "decay_lr_ratio", float, 0.8, "sgd.plateau_factor", "as decay_lr_plateau"),
    _translated(_OPT + "min_lr", float, 1e-6, "sgd.final_fraction", "divided by base_lr; only for the optimiser `sgd`"),
    _translated(_OPT + "early_stopping", bool, True, "sgd.early_stopping_reports",
                "needs val_fraction; without it, quantammsim uses test data to stop"),
    _translated(_OPT + "early_stopping_patience", int, 200, "sgd.early_stopping_reports",
                "iterations in quantammsim, reports here; only with early_stopping"),
    _translated(_OPT + "early_stopping_metric", str, "daily_log_sharpe", "",
                "the objective is used here: set `return_val`, or select by another metric with `quantsim select --metric`"),
    _translated(_OPT + "use_swa", bool, False, "sgd.average_from_step",
                "averages are stored as additional sets; not for `bfgs` and multi-period training"),
    _translated(_OPT + "swa_start_frac", float, 0.75, "sgd.average_from_step", "only with use_swa"),
    _translated(_OPT + "swa_freq", int, 10, "sgd.average_every", "only with use_swa"),
    _translated(_OPT + "include_flipped_training_data", bool, False, "sgd.time_reversed"),
    _translated("price_noise_sigma", float, 0.0, "sgd.price_noise",
                "on all prices here; in quantammsim only on the prices that value the reserves"),
    _translated(_OPT + "train_on_hessian_trace", bool, False, "sgd.hessian_penalty, sgd.hessian_samples",
                "1e-4 times the trace, which is an estimate here"),
    _translated("ste_max_change", bool, False, "sgd.straight_through"),
    _translated("ste_min_max_weight", bool, False, "sgd.straight_through"),
    _translated(_OPT + "force_scalar", bool, False, "search.ranges: scalar", "only for a search, not for gradients"),
    _translated(_OPT + "track_checkpoints", bool, False, "sgd.report_every", "reports are always stored"),
    _translated(_OPT + "checkpoint_interval", int, 10, "sgd.report_every", "only with track_checkpoints"),
    _internal(_OPT + "n_cycles", int, 5, "for walk-forward runs: see `quantsim walk-forward --folds`"),
    _internal(_OPT + "max_mc_version", int, 9, "for synthetic prices, which are not supported"),
    # The search.
    _translated(_OPTUNA + "method", str, None, "driver",
                "has no effect in quantammsim; read as `optimisation_settings.method`"),
    _translated(_OPTUNA + "study_name", str, None, "name"),
    _internal(_OPTUNA + "storage.type", str, "sqlite", "set the storage with `--storage`"),
    _internal(_OPTUNA + "storage.url", str, None, "set the storage with `--storage`"),
    _translated(_OPTUNA + "n_trials", int, 20, "search.trials", "`cma_es` has generations instead"),
    _copied(_OPTUNA + "n_jobs", int, 4, "search.jobs"),
    _translated(_OPTUNA + "timeout", float, 7200, "search.max_minutes", "seconds"),
    _copied(_OPTUNA + "n_startup_trials", int, 10, "search.n_startup_trials"),
    _translated(_OPTUNA + "early_stopping.enabled", bool, False, "search.patience"),
    _translated(_OPTUNA + "early_stopping.patience", int, 100, "search.patience", "only if enabled, with one objective"),
    _translated(_OPTUNA + "early_stopping.min_improvement", float, 0.001, "search.min_gain",
                "in units of the objective; in quantammsim relative to the best validation value"),
    _translated(_OPTUNA + "multi_objective", bool, False, "search.objectives",
                "mean, worst and (minimised) deviation of `return_val` over the windows of a search"),
    _translated(_OPTUNA + "make_scalar", bool, False, "search.ranges: scalar", "for all parameters"),
    _translated(_OPTUNA + "expand_around", bool, True, "search.ranges: expand_around",
                "± 0.1 in raw units around the initial value, for parameters without a given range"),
    _translated(_OPTUNA + "overfitting_penalty", float, 0.2, "search.overfitting_penalty",
                "with one objective and val_fraction; without it, quantammsim uses test data for the penalty"),
    *_ranges(),
    # The other methods.
    _translated(_BFGS + "maxiter", int, 100, "sgd.steps", "only with method `bfgs`"),
    _internal(_BFGS + "tol", float, 1e-6, "training ends after `sgd.steps`"),
    _translated(_BFGS + "n_evaluation_points", int, 20, "objective.n_periods, objective.n_random_periods",
                "only with method `bfgs`"),
    _internal(_BFGS + "compute_dtype", str, "float32", "everything is computed in float64"),
    _translated(_CMA + "n_generations", int, 300, "search.trials", "times population_size; only with method `cma_es`"),
    _translated(_CMA + "population_size", int, None, "search.trials", "default 4 + 3 ln d, for d search dimensions"),
    _translated(_CMA + "n_evaluation_points", int, 20, "objective.n_periods, objective.n_random_periods",
                "only with method `cma_es`"),
    _internal(_CMA + "sigma0", float, 0.5, "the sampler derives it from the ranges"),
    _internal(_CMA + "tol", float, 1e-8, "`search.patience` ends a search"),
    _internal(_CMA + "memory_budget", None, None, "parameter sets of a generation are evaluated as memory allows"),
    _internal(_CMA + "compute_dtype", str, "float32", "everything is computed in float64"),
    # Arguments of multi_period_sgd_training, in their own table.
    _translated(_PERIODS + "n_periods", int, 4, "objective.n_periods"),
    _translated(_PERIODS + "overlap_fraction", float, 0.0, "objective.period_overlap",
                "share of each period; the periods cover all of training here, and end earlier in quantammsim"),
    _translated(_PERIODS + "max_epochs", int, 500, "sgd.steps"),
    _translated(_PERIODS + "aggregation", str, "mean", "objective.aggregate", "`mean`, `softmin`, `min` or `sum`"),
    _translated(_PERIODS + "softmin_temperature", float, 1.0, "objective.softmin_temperature",
                "only for `softmin`, which is -τ log mean exp(-v/τ) here and Σ v softmax(-v/τ) in quantammsim"),
    # Internals of quantammsim, and keys that it writes into result files.
    _internal("use_fused_reserves", bool, True, "the simulator chooses its method itself"),
    _internal("checkpoint_fused", str, "scan", "the simulator chooses its method itself"),
    _internal("weight_calculation_method", str, "auto", "the simulator chooses its method itself"),
    _internal("alphabetic", bool, True, "part of result files: their lists per token are in sorted order"),
    _internal("training_method", str, None, "part of result files; `optimisation_settings.method` names the driver"),
    _internal("evaluation_starts", list, None, "part of result files: the first bars of the windows of a search"),
    # Pools of other shapes.
    _translated("reclamm_interpolation_method", str, "geometric", "pool.range_shift",
                "for `reclamm`: `geometric`, which is `decay` here, or `constant_arc_length`"),
    _translated("reclamm_arc_length_speed", float, None, "pool.range_shift",
                "for `reclamm`: not supported; the speed is that at which the decay would begin, as without this key"),
    _translated("reclamm_centeredness_scaling", bool, False, "pool.centeredness_scaling", "for `reclamm`"),
    _translated("reclamm_learn_arc_length_speed", bool, False, "pool.range_shift", "for `reclamm`: not supported"),
    _translated("reclamm_use_shift_exponent", bool, False, "parameters.shift_exponent",
                "for `reclamm`: else `parameters.daily_price_shift_base`"),
    _translated("reclamm_learn_fees", bool, False, "parameters.swap_fee", "for `reclamm`: else `fees.swap_fee`"),
    _internal("initial_arc_length_speed", None, 1e-4, "only with `reclamm_learn_arc_length_speed`, which is not supported"),
    _translated("initial_shift_exponent", float, 1.0, "parameters.shift_exponent", "for `reclamm`"),
    _translated("initial_price_ratio", float, 4.0, "parameters.price_ratio", "for `reclamm`"),
    _translated("initial_centeredness_margin", float, 0.2, "parameters.centeredness_margin", "for `reclamm`"),
    _translated("initial_daily_price_shift_base", float, 0.999991935483871, "parameters.daily_price_shift_base",
                "for `reclamm`"),
    _translated("alpha", float, None, "parameters.alpha", "for `gyroscope`, from its initial values"),
    _translated("beta", float, None, "parameters.beta", "for `gyroscope`, from its initial values"),
    _translated("rotation_angle", float, None, "parameters.phi", "for `gyroscope`, from its initial values; `phi` also works"),
    _translated("phi", float, None, "parameters.phi", "for `gyroscope`: the same as `rotation_angle`"),
    _translated("lam", float, None, "parameters.lam", "for `gyroscope`, from its initial values"),
)  # fmt: skip
"""All keys, in the order of docs/fingerprints.md."""

BY_PATH = {key.path: key for key in KEYS}

TABLES = frozenset(
    ".".join(parts[:depth]) for parts in (key.path.split(".") for key in KEYS) for depth in range(1, len(parts))
)
"""All tables that hold keys, including the tables around them."""
