"""What a pool loses because its weights move in steps of a bar, and the caution that says so."""

from __future__ import annotations

import numpy as np
import pytest

from quantsim import Experiment
from quantsim.report.notes import notes_of_simulation
from quantsim.simulator import Evaluator, Result, simulate
from quantsim.simulator.weight_steps import STEPS, step_loss

SHORT = ("periods.test_end=2019-06-01", "update.max_memory_days=30", "parameters.memory_days=10")


def simulated(*changes: str) -> Result:
    return simulate(Experiment.load("momentum_fees").override([*SHORT, *changes]), split="test")


def cautions(result: Result) -> list[str]:
    return [text for text in result.notes.get("cautions", ()) if "steps of" in text]


def test_a_simulation_on_longer_bars_loses_what_its_steps_cost() -> None:
    found = {minutes: simulated(f"data.bar_minutes={minutes}") for minutes in (60, 240, 1440)}
    growth = {minutes: float(np.log(one.value[-1] / one.value[0])) for minutes, one in found.items()}
    losses = {minutes: step_loss(one.weights) for minutes, one in found.items()}
    assert growth[60] - growth[1440] > 0.5, "the length of the bar decides the result"
    for minutes in (240, 1440):
        assert losses[minutes] / losses[60] == pytest.approx(minutes / 60, rel=0.05)
        assert growth[60] - growth[minutes] == pytest.approx(losses[minutes] - losses[60], rel=0.06)
    for minutes, one in found.items():
        (text,) = cautions(one)
        assert f"steps of {minutes} minutes" in text
        assert f"about {100 * -np.expm1(-losses[minutes]):.0f} %" in text


@pytest.mark.parametrize("change", ["pool.arb_frequency=6", "parameters.k_per_day=0.1", "pool.type=rebalanced"])
def test_there_is_no_caution_where_steps_cost_next_to_nothing(change: str) -> None:
    assert not cautions(simulated("data.bar_minutes=240", change))


def test_results_on_long_bars_have_a_note() -> None:
    study = Experiment.load("momentum_fees")
    notes = {minutes: Evaluator(study.override([f"data.bar_minutes={minutes}"])).notes for minutes in (30, 60)}
    assert STEPS not in notes[30]
    assert "on bars of 60 minutes" in notes[60][STEPS]
    assert notes[60][STEPS] in notes_of_simulation(notes[60])
    values = Experiment.load("pool_of_pools").override(["data.bar_minutes=60"]).model_dump(mode="json")
    values["pool"]["rule"] = "balancer"
    values["parameters"] = {name: each for name, each in values["parameters"].items() if name.startswith("alts.")}
    assert STEPS in Evaluator(Experiment.from_dict(values)).notes, "the weights of the subsidiary move"


def test_weights_that_are_not_positive_have_no_figure() -> None:
    assert np.isnan(step_loss(np.array([[0.5, 0.5], [1.1, -0.1]])))


def test_constant_weights_have_no_steps() -> None:
    study = Experiment.load("constant_weights").override(["data.bar_minutes=1440"])
    result = simulate(study, split="test")
    assert (step_loss(result.weights), cautions(result)) == (0.0, [])
