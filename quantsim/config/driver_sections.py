"""The tables of a study file for the drivers."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, field_serializer, model_validator

from quantsim.config.identity import Decides
from quantsim.config.ranges import Ranges
from quantsim.limits import MOST_JOBS, MOST_SETS, MOST_WINDOWS
from quantsim.parameters.initial import InitialKind
from quantsim.settings.base import Section
from quantsim.settings.kinds import (
    Count,
    Frozen,
    Jobs,
    Natural,
    NotNegative,
    Positive,
    Sets,
    Trials,
    distinct,
)

__all__ = ["DriverName", "Hybrid", "Search", "Sgd"]

DriverName = Literal["sgd", "search", "hybrid"]
"""A driver in a study, and its table."""


class Sgd(Section, decides=Decides.STEPS | Decides.ROUNDS):
    """The gradient driver; docs/training.md explains every key.

    ``initial`` sets the starting points of all parameter sets but the first. ``initial_spread`` is for gaussian sets. Other
    methods use the ranges of the parameter specs, uniformly in ``initial_scale`` units. ``starts`` are tables of parameters,
    one per set, instead of ``initial``; missing parameters are those of the study.
    """

    steps: Annotated[Count, Decides.STEPS] = 500
    """Number of gradient steps."""
    train: tuple[str, ...] | None = None
    """Names of the trained parameters; by default all that are trainable."""
    batch_size: Sets = 8
    """Number of windows per step and parameter set."""
    sampling: Literal["uniform", "exponential", "stratified", "exhaustive"] = "uniform"
    """How the windows of a step are drawn."""
    n_parameter_sets: Annotated[Sets, Decides.STEPS] = 4
    """Number of parameter sets that are trained side by side; the first starts at ``parameters``."""
    initial: Annotated[InitialKind, Decides.STEPS] = "gaussian"
    """How the starting points of the other sets are drawn."""
    initial_scale: Annotated[Literal["human", "raw"], Decides.STEPS] = "human"
    """Units in which methods other than ``gaussian`` draw uniformly."""
    initial_spread: NotNegative = 0.5
    """Standard deviation of ``gaussian`` starting points, on raw values."""
    starts: Annotated[tuple[Frozen, ...], Decides.STEPS] = ()
    """Starting parameters by set, one table each, instead of ``initial``."""
    optimiser: Literal["adam", "adamw", "sgd", "lion", "lbfgs"] = "adam"
    """The optimiser."""
    learning_rate: Positive = 0.05
    """First learning rate; with ``warmup_cosine``, the largest."""
    momentum: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Momentum of the optimiser ``sgd``."""
    weight_decay: NotNegative = 0.0
    """Weight decay of the optimisers ``adamw`` and ``lion``."""
    clip_norm: Positive | None = 10.0
    """Largest gradient norm of a set; longer gradients are shortened to it."""
    schedule: Literal["constant", "cosine", "warmup_cosine", "exponential", "plateau"] = "constant"
    """Schedule of the learning rate."""
    warmup_steps: Natural = 0
    """Steps until the largest learning rate of ``warmup_cosine``."""
    final_fraction: Annotated[float, Field(gt=0.0, le=1.0)] = 0.01
    """Last learning rate as a share of the first; the lower limit of ``plateau``."""
    plateau_factor: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.5
    """Factor by which ``plateau`` reduces the learning rate."""
    plateau_patience: Count = 5
    """Observations without improvement before ``plateau`` reduces the rate."""
    plateau_tolerance: Positive = 1e-3
    """Smallest improvement that ``plateau`` counts, in units of the objective."""
    plateau_steps: Count = 10
    """Steps per observation of ``plateau``."""
    average_from_step: Count | None = None
    """First step of the average of the parameters; by default there is no average."""
    average_every: Count = 1
    """Steps between the averaged parameters."""
    price_noise: NotNegative = 0.0
    """Standard deviation of noise on log prices, drawn anew in each step."""
    time_reversed: bool = False
    """Whether each step also trains on the prices in reversed time."""
    straight_through: tuple[Literal["maximum_change", "weight_bounds"], ...] = ()
    """Limits that gradients ignore."""
    hessian_samples: Annotated[Natural, Field(le=MOST_SETS)] = 0
    """Number of random directions for the trace of the Hessian; 0 for none."""
    hessian_step: Annotated[Positive, Field(ge=1e-9)] = 0.01
    """Step size of its finite differences, on raw values."""
    hessian_penalty: NotNegative = 0.0
    """Factor on the trace, which is subtracted from the objective."""
    reinitialise_after: Count | None = 20
    """Rejected updates in a row before a set restarts near its own start."""
    report_every: Count = 25
    """Steps between reports; each is stored, and a run resumes from the last one."""
    early_stopping_reports: Count | None = None
    """Reports without a better validation value before a set stops; by default none stops."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        windows = self.n_parameter_sets * self.batch_size
        if windows > MOST_WINDOWS:
            raise ValueError(
                f"n_parameter_sets = {self.n_parameter_sets:,} times batch_size = {self.batch_size:,} are {windows:,} windows "
                f"per step: the limit is {MOST_WINDOWS:,}"
            )
        decays = ("adamw", "lion")
        if self.weight_decay and self.optimiser not in decays:
            raise ValueError(
                f"weight_decay = {self.weight_decay} needs optimiser = 'adamw' or 'lion', not {self.optimiser!r}"
            )
        if self.momentum and self.optimiser != "sgd":
            raise ValueError(f"momentum = {self.momentum} needs optimiser = 'sgd', not {self.optimiser!r}")
        if self.warmup_steps and self.schedule != "warmup_cosine":
            raise ValueError(
                f"warmup_steps = {self.warmup_steps} needs schedule = 'warmup_cosine', not {self.schedule!r}"
            )
        if self.warmup_steps >= self.steps:
            raise ValueError(f"warmup_steps = {self.warmup_steps} must be less than steps = {self.steps}")
        if self.hessian_penalty and not self.hessian_samples:
            raise ValueError(
                f"hessian_penalty = {self.hessian_penalty} needs hessian_samples of at least 1, the number of directions"
            )
        if len(self.starts) == 1:
            raise ValueError("starts has one set: use [parameters] instead, around which sets are drawn")
        self._check_lbfgs()
        return self

    def _check_lbfgs(self) -> None:
        if self.optimiser != "lbfgs":
            return
        if self.schedule != "constant":
            raise ValueError(
                f"schedule = {self.schedule!r} is not for optimiser = 'lbfgs', whose line search sets the step: remove it"
            )
        for name in ("price_noise", "hessian_penalty"):
            if value := getattr(self, name):
                raise ValueError(
                    f"{name} = {value} makes the objective random, but optimiser = 'lbfgs' needs a fixed one: remove one"
                )


class Hybrid(Section, decides=Decides.ROUNDS):
    """The hybrid driver, which alternates search and gradients; docs/hybrid.md explains every key."""

    rounds: Annotated[Count, Decides.NOTHING] = 3
    """Largest number of rounds."""
    trials: Trials = 50
    """New trials of the search in each round."""
    top: Sets = 4
    """Number of trials that are trained by gradients in each round."""
    steps: Count = 100
    """Gradient steps per trial."""
    gradients: Literal["auto", "zero_fee", "with_fees"] = "auto"
    """Whether gradients are those of the pool with its fees or of the pool without."""
    windows: Literal["whole", "study"] = "whole"
    """Training windows: the whole training period, or those of the study."""
    min_gain: Annotated[NotNegative, Decides.NOTHING] = 1e-3
    """Smallest gain of the best train objective for which a round counts as a help."""
    max_evaluations: Annotated[Count | None, Decides.NOTHING] = None
    """Budget: trials, and steps times sets; by default there is none."""
    max_minutes: Annotated[Positive | None, Decides.NOTHING] = None
    """Time limit of one session, in minutes."""

    @model_validator(mode="after")
    def _one_round_fits(self) -> Self:
        needed = self.trials + self.top * (self.steps + 1)
        if self.max_evaluations is not None and self.max_evaluations < needed:
            raise ValueError(
                f"max_evaluations = {self.max_evaluations} is less than one round needs: {self.trials} trials, and for each of "
                f"{self.top} sets {self.steps} steps and a trial, {needed} in total; raise it, or lower trials, top or steps"
            )
        return self


class Search(Section, decides=Decides.TRIALS):
    """The search driver. ``space`` names a file of ranges; unless set, it is the rule's own.

    ``ranges`` are tables as in that file, each in place of that parameter's own. ``batch`` trials are drawn before any of them
    is known, and ``jobs`` of them are evaluated at the same time, by default as many as there are threads
    (:func:`~quantsim.threads.thread_count`); ``jobs`` makes no difference to the trials. ``max_minutes``
    ends a session: nothing is evaluated after so long, and the same search goes on in the next. ``fixed`` takes parameters out
    of the search: human-readable name = value. ``objectives`` are several metrics of the training period instead of the one
    objective, maximised, or minimised with a minus before the name. Pruned are trials whose mean over the first blocks of the
    training period is worse than that of others. ``patience`` ends a study whose best has not improved by more than
    ``min_gain`` over that many trials.
    """

    trials: Annotated[Trials, Decides.NOTHING] = 200
    """Total number of trials of the study."""
    jobs: Annotated[Jobs | None, Decides.NOTHING] = None
    """Trials that are evaluated at the same time; by default one per processor."""
    batch: Annotated[int, Field(ge=1, le=MOST_JOBS)] = 8
    """Trials that are drawn before any of them is known."""
    max_minutes: Annotated[Positive | None, Decides.NOTHING] = None
    """Time limit of one session, in minutes; after it no trial begins."""
    space: Annotated[str | None, Decides.NOTHING] = None
    """File of the ranges; by default the search space of the rule."""
    ranges: Annotated[Ranges, Decides.NOTHING] = ()
    """Ranges by parameter, in place of those of the space."""
    fixed: Frozen = ()
    """Parameters that are not searched: name = value."""
    sampler: Literal["tpe", "cmaes", "nsga2", "nsga3", "random", "qmc", "gp"] = "tpe"
    """How trials are drawn."""
    n_startup_trials: Count = 20
    """Trials drawn at random before ``tpe`` or ``gp`` model anything."""
    multivariate: bool = True
    """Whether ``tpe`` models all parameters together."""
    population_size: Annotated[Sets, Field(ge=2)] = 20
    """Trials per generation of ``nsga2`` and ``nsga3``."""
    objectives: Annotated[tuple[str, ...], AfterValidator(distinct)] = ()
    """Several train metrics instead of the objective; a minus before a name minimises."""
    overfitting_penalty: NotNegative = 0.0
    """Factor on train minus validation, where positive, that is subtracted from the value."""
    pruner: Literal["none", "median", "percentile", "hyperband"] = "none"
    """How trials that begin badly end early."""
    prune_blocks: Annotated[int, Field(ge=2, le=1_000)] = 4
    """Blocks of the training period after which a pruner looks."""
    patience: Annotated[Count | None, Decides.NOTHING] = None
    """Trials without a gain of more than ``min_gain`` that end the study."""
    min_gain: Annotated[NotNegative, Decides.NOTHING] = 0.0
    """Smallest gain of the best value that ``patience`` counts."""

    @model_validator(mode="after")
    def _objectives_fit(self) -> Self:
        if not self.objectives:
            return self
        if len(self.objectives) == 1:
            raise ValueError(
                f"objectives = {list(self.objectives)} is one objective: set objective.metric, and leave it out"
            )
        for name, value, off in (
            ("overfitting_penalty", self.overfitting_penalty, 0.0),
            ("patience", self.patience, None),
            ("pruner", self.pruner, "none"),
        ):
            if value != off:
                raise ValueError(
                    f"{name} = {value!r} is for one objective, and there are {len(self.objectives)}: leave it out"
                )
        return self

    @field_serializer("ranges")
    def _ranges_as_table(self, ranges: Ranges) -> dict[str, Any]:
        return {name: table.model_dump(mode="json", exclude_none=True) for name, table in ranges}
