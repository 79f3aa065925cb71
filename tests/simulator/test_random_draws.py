"""Gradients over the whole search space: of 10 000 random draws of a rule's parameters, none has one of nan."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from pool_support import Layout, random_prices

from quantsim import Evaluator, Experiment
from quantsim.parameters import scoped
from quantsim.search_space import load_search_space

N_DRAWS, LANES = 10_000, 1_000
DAYS = Layout(720, 1440, 1440, history=30, n_bars=60, max_memory_days=365.0, volatility=0.008)
SETTINGS = {
    "momentum": {"use_alt_lamb": True},
    "power_channel": {},
    "mean_reversion_channel": {"pre_exp_scaling": "logistic"},
    "difference_momentum": {},
    "min_variance": {},
}


def _experiment(rule: str) -> Experiment:
    return Experiment.from_dict(
        {
            "data": {"tokens": ["BTC", "ETH"]},
            "periods": {"train_start": "2021-03-16", "train_end": "2021-04-15"},
            "pool": {"rule": rule},
            "update": SETTINGS[rule],
        }
    )


def _drawn(experiment: Experiment) -> dict[str, NDArray[np.float64]]:
    """Raw parameters from anywhere in the search space, (N, m); of ten values one is at the lower end, one at the upper."""
    generator = np.random.default_rng(5)
    dimensions = {dimension.name: dimension for dimension in load_search_space(experiment).dimensions}
    raw = {name: np.tile(value, (N_DRAWS, 1)) for name, value in experiment.initial_parameters().items()}
    for parameter in experiment.layout:
        if parameter.human_name not in dimensions:
            continue
        draws = dimensions[parameter.human_name].draws
        human = np.empty((N_DRAWS, parameter.size))
        for column in range(parameter.size):
            draw = draws[column % len(draws)]
            place = np.clip(generator.uniform(-0.125, 1.125, N_DRAWS), 0.0, 1.0)
            along = (
                draw.low * (draw.high / draw.low) ** place if draw.log else draw.low + (draw.high - draw.low) * place
            )
            human[:, column] = np.clip(along, draw.low, draw.high)
        others = scoped(raw, parameter.group)
        raw[parameter.raw_name] = parameter.spec.transform.to_raw(human, others, parameter.chunk_minutes)
    return raw


@pytest.mark.parametrize("rule", SETTINGS)
def test_no_draw_has_a_gradient_of_nan(rule: str) -> None:
    experiment = _experiment(rule)
    evaluator = Evaluator(experiment, random_prices(DAYS, 2, 11))
    first, n_bars = evaluator.splits["train"]
    raw, broken, flat = _drawn(experiment), [], 0
    for begin in range(0, N_DRAWS, LANES):
        sets = {name: values[begin : begin + LANES] for name, values in raw.items()}
        values, gradients = evaluator.value_and_grad(sets, [first], n_bars, "daily_log_sharpe")
        rows = np.concatenate([gradients[name] for name in sorted(experiment.trainable)], axis=1)
        bad = ~(np.isfinite(values) & np.isfinite(rows).all(axis=1))
        broken += [{name: part[begin + row].tolist() for name, part in raw.items()} for row in np.flatnonzero(bad)]
        flat += int((rows == 0.0).all(axis=1).sum())
    assert not broken, f"{len(broken)} of {N_DRAWS} draws of {rule}, the first {broken[0]}"
    assert flat < 0.75 * N_DRAWS, f"{flat} of {N_DRAWS} draws of {rule} have no gradient at all: they test nothing"
