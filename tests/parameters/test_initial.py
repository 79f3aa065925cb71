"""Starting points in the ranges of the specs: their distribution, fixed parameters, and repeatability."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from quantsim import Experiment
from quantsim.drivers.sgd.training import _starting_sets
from quantsim.errors import ConfigError, ParameterError
from quantsim.parameters import Parameter, bind, common, range_sets, to_human, to_raw
from quantsim.parameters.initial import InitialKind, grid_sizes

KINDS: tuple[InitialKind, ...] = ("latin_hypercube", "centered_latin_hypercube", "sobol", "grid")
SPECS = (common.initial_weights, common.memory_days, common.alt_memory_days, common.k_per_day, common.exponents)
CENTRE = {"memory_days": [3.0, 40.0, 7.0], "k_per_day": [2.0, 30.0, 9.0], "initial_weights": [0.2, 0.5, 0.3]}
MOVED = ("logit_lamb", "log_k")
N_SETS = 1 + 2**6  # a grid over two values for each of three tokens, too


def layout(*, scalar: bool = False, n_tokens: int = 3) -> tuple[Parameter, ...]:
    specs = tuple(replace(spec, scalar=scalar) for spec in SPECS)
    return bind(specs, ("BTC", "ETH", "SUI")[:n_tokens], 1440.0)


def sets_of(kind: InitialKind, n_sets: int = N_SETS, **changes: Any) -> dict[str, np.ndarray]:
    parameters = changes.pop("parameters", layout())
    return range_sets(kind, parameters, to_raw(parameters, CENTRE), n_sets, **{"moved": MOVED, "seed": 5, **changes})


def human_of(sets: dict[str, np.ndarray], name: str) -> np.ndarray:
    """Values (S, m) of one parameter in human units."""
    n_sets = next(iter(sets.values())).shape[0]
    return np.stack([to_human(layout(), {key: rows[i] for key, rows in sets.items()})[name] for i in range(n_sets)])


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_set_is_the_centre_and_fixed_parameters_do_not_change(kind: InitialKind) -> None:
    sets, centre = sets_of(kind), to_raw(layout(), CENTRE)
    assert set(sets) == set(centre)
    for name, rows in sets.items():
        assert rows.shape == (N_SETS, 3)
        np.testing.assert_array_equal(rows[0], centre[name])
        if name in MOVED:
            assert (rows[1:] != centre[name]).all()
        else:
            np.testing.assert_array_equal(rows, np.tile(centre[name], (N_SETS, 1)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", ["human", "raw"])
def test_values_lie_in_the_range_of_the_spec(kind: InitialKind, scale: str) -> None:
    sets = sets_of(kind, scale=scale, moved=(*MOVED, "raw_exponents"), n_sets=1 + 2**9)
    for spec in (common.memory_days, common.k_per_day, common.exponents):
        values = human_of(sets, spec.human_name)[1:]
        assert values.min() >= spec.low * (1 - 1e-12)
        assert values.max() <= spec.high * (1 + 1e-12)


def test_human_ranges_are_uniform_in_the_logarithm_for_logarithmic_specs() -> None:
    sets = sets_of("latin_hypercube", 101, moved=("log_k", "raw_exponents"))
    k = (np.log(human_of(sets, "k_per_day")[1:]) - np.log(0.1)) / np.log(1000.0 / 0.1)
    exponents = (human_of(sets, "exponents")[1:] - 1.0) / 4.0
    for places in (k, exponents):  # one value in each hundredth of the range, for every token
        np.testing.assert_array_equal(np.sort(np.floor(100 * places), axis=0), np.tile(np.arange(100)[:, None], (1, 3)))
    assert (k[:, 0] != k[:, 1]).all(), "tokens are drawn apart from each other"


def test_raw_ranges_are_uniform_in_raw_values() -> None:
    sets = sets_of("latin_hypercube", 101, moved=("logit_lamb", "logit_delta_lamb"), scale="raw")
    ends = [to_raw(layout(), {"memory_days": end})["logit_lamb"][0] for end in (1.0, 200.0)]
    alternative = sets["logit_lamb"] + sets["logit_delta_lamb"]  # stated as an offset, drawn as a memory
    for logits in (sets["logit_lamb"][1:], alternative[1:]):
        places = np.floor(100 * (logits - ends[0]) / (ends[1] - ends[0]))
        np.testing.assert_array_equal(np.sort(places, axis=0), np.tile(np.arange(100)[:, None], (1, 3)))


@pytest.mark.parametrize("kind", KINDS)
def test_scalar_parameters_get_one_value_for_all_labels(kind: InitialKind) -> None:
    sets = sets_of(kind, 17, parameters=layout(scalar=True))
    for name in MOVED:
        np.testing.assert_array_equal(sets[name][1:], np.tile(sets[name][1:, :1], (1, 3)))
    assert len(set(sets["log_k"][1:, 0])) == (4 if kind == "grid" else 16)


def test_sets_are_seeded() -> None:
    for kind in KINDS:
        one, again, other = sets_of(kind), sets_of(kind), sets_of(kind, seed=6)
        for name in MOVED:
            np.testing.assert_array_equal(one[name], again[name])
            assert np.array_equal(one[name], other[name]) == (kind == "grid")


@pytest.mark.parametrize("n_sets", [2, 3, 4, 6, 12, 33, 100])
def test_sobol_sets_do_not_depend_on_their_number_and_do_not_warn(n_sets: int) -> None:
    few, many = sets_of("sobol", n_sets), sets_of("sobol", 200)
    for name in MOVED:
        np.testing.assert_array_equal(few[name], many[name][:n_sets])


def test_a_single_set_is_the_centre_and_without_drawn_parameters_it_repeats() -> None:
    centre = to_raw(layout(), CENTRE)
    for kind in KINDS:
        np.testing.assert_array_equal(sets_of(kind, 1)["log_k"], centre["log_k"][None])
        np.testing.assert_array_equal(sets_of(kind, 3, moved=())["log_k"], np.tile(centre["log_k"], (3, 1)))


def test_dimensions_of_a_grid_differ_by_at_most_one() -> None:
    assert grid_sizes(81, 4) == (3, 3, 3, 3)
    assert grid_sizes(54, 4) == (3, 3, 3, 2)
    assert grid_sizes(2, 3) == (2, 1, 1)
    assert grid_sizes(7, 1) == (7,)
    sets = sets_of("grid", 13, parameters=layout(scalar=True), moved=(*MOVED, "raw_exponents"))
    values = human_of(sets, "exponents")[1:, 0]
    np.testing.assert_allclose(values, np.tile([2.0, 4.0], 6), rtol=1e-12)
    memory = human_of(sets, "memory_days")[1:, 0]
    np.testing.assert_allclose(memory, np.repeat(200.0 ** np.array([1 / 6, 1 / 2, 5 / 6]), 4), rtol=1e-12)


def test_an_invalid_grid_size_is_refused_with_the_nearest_valid_ones() -> None:
    for n_points, n_sides in ((5, 2), (7, 4), (17, 4), (26, 3)):
        with pytest.raises(ParameterError, match=r"sgd\.n_parameter_sets") as caught:
            grid_sizes(n_points, n_sides)
        below, above = map(int, re.search(r"(\d+) or (\d+) sets fit", str(caught.value)).groups())
        assert below < n_points + 1 < above
        for fits in (below, above):
            assert np.prod(grid_sizes(fits - 1, n_sides)) == fits - 1


def test_weights_and_memories_above_the_limit_are_not_drawn() -> None:
    with pytest.raises(ParameterError, match="initial_weights must sum to 1"):
        sets_of("sobol", moved=("initial_weights_logits",))
    with pytest.raises(ParameterError, match=r"memory_days is drawn .*max_memory_days = 0.5"):
        sets_of("sobol", max_memory_days=0.5)
    assert human_of(sets_of("sobol", max_memory_days=9.0), "memory_days")[1:].max() <= 9.0


def study(**sgd: Any) -> Experiment:
    return Experiment.from_dict(
        {
            "data": {"tokens": ["A", "B"]},
            "periods": {"train_start": "2023-01-21", "train_end": "2023-04-21"},
            "pool": {"ensemble": {"fast": "momentum", "slow": "momentum"}},
            "update": {"max_memory_days": 20.0},
            "parameters": {"fast": {"memory_days": 2.0}, "slow": {"memory_days": 15.0}},
            "sgd": sgd,
        }
    )


@pytest.mark.parametrize("kind", ["gaussian", *KINDS])
def test_the_study_sets_the_method(kind: str) -> None:
    experiment = study(initial=kind, n_parameter_sets=17)
    sets = _starting_sets(experiment, [])
    centre = experiment.initial_parameters()
    for name, rows in sets.items():
        assert rows.shape == (17, 2)
        np.testing.assert_array_equal(rows[0], centre[name])
        assert (rows[1:] != rows[0]).any() == (name in experiment.trainable)
    if kind != "gaussian":
        memories = [
            experiment.human_parameters({n: r[i] for n, r in sets.items()})["fast.memory_days"] for i in range(1, 17)
        ]
        assert np.max(memories) <= 20.0
    # The kinds differ, and the default is the one there was.
    same = np.array_equal(sets["fast.log_k"], _starting_sets(study(n_parameter_sets=17), [])["fast.log_k"])
    assert same == (kind == "gaussian")


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"sgd\.initial.*'latin_hypercube'"):
        study(initial="halton")
