"""A study for runs of every driver, and finished runs with one checkpoint each, for tests of what is made of stored runs."""

from __future__ import annotations

from typing import Any

from quantsim import CheckpointStore, Experiment
from quantsim.checkpoints import Checkpoint
from quantsim.checkpoints.stored import rule_notes

DAYS = Experiment.load("momentum_zero_fee").override(["data.bar_minutes=1440"])

TINY_STUDY = """
[data]
tokens = ["ETH", "BTC"]
bar_minutes = 1440
forward_fill_bars = 8
[periods]
train_start = 2018-04-01
train_end = 2018-06-01
validation_end = 2018-07-01
test_end = 2018-08-01
[pool]
rule = "momentum"
[update]
max_memory_days = 60.0
[parameters]
memory_days = 12.0
k_per_day = 3.0
[search]
trials = 3
n_startup_trials = 2
[sgd]
train = ["memory_days", "k_per_day"]
steps = 2
report_every = 1
n_parameter_sets = 1
batch_size = 2
[hybrid]
rounds = 1
trials = 3
steps = 2
top = 1
"""
"""A study that every driver runs in a moment."""

FIGURES_OF_A_VALIDATION = {
    "trials",
    "effective_trials",
    "deflated_sharpe",
    "spa_p_value",
    "probability_of_loss",
    "pbo",
    "rank_correlation",
    "intervals",
    "judgement",
}
"""Keys that the JSON of a validation has."""


def keep(
    store: CheckpointStore,
    experiment: Experiment = DAYS,
    data_id: str = "d",
    driver: str = "sgd",
    notes: dict[str, Any] | None = None,
    **metrics: float,
) -> Checkpoint:
    """A finished run of the experiment with its own parameters as the one checkpoint, and its objective by split."""
    run_id = store.begin_run(
        experiment_id=experiment.identity,
        data_id=data_id,
        name=experiment.name,
        driver=driver,
        config=experiment.model_dump(mode="json"),
        notes={**rule_notes(experiment), **(notes or {})},
    )
    raw = experiment.initial_parameters()
    human = {name: tuple(values.tolist()) for name, values in experiment.human_parameters(raw).items()}
    splits = {split: {experiment.objective.name: value} for split, value in (metrics or {"validation": 1.0}).items()}
    row = Checkpoint(run_id, 0, 0, driver, {name: tuple(values) for name, values in raw.items()}, human, splits)
    store.append(run_id, [row])
    store.finish_run(run_id)
    return row
