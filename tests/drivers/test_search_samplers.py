"""Samplers by name: they improve, repeat by seed, go on where a study was cut off, and refuse what they cannot draw."""

from __future__ import annotations

import math
from typing import Any, get_args

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.samplers import TPESampler
from optuna.trial import TrialState
from search_support import make_experiment

from quantsim.config.driver_sections import Search
from quantsim.drivers.search.asking import Asking
from quantsim.drivers.search.samplers.cma import GENERATION, CmaProgress, CmaSampler
from quantsim.drivers.search.samplers.named import Samplers, check_sampler
from quantsim.errors import ConfigError
from quantsim.optuna_private import BatchTPESampler, UnitCube

SPACE: dict[str, BaseDistribution] = {
    "a": FloatDistribution(1e-2, 1e2, log=True),
    "b": FloatDistribution(-1.0, 3.0),
    "c": FloatDistribution(0.5, 200.0, log=True),
}
INSTALLED = sorted(set(get_args(Search.model_fields["sampler"].annotation)) - {"gp"})


def height(params: dict[str, float]) -> float:
    return -((math.log10(params["a"]) - 0.5) ** 2) - (params["b"] - 1.7) ** 2 - math.log10(params["c"] / 30.0) ** 2


def run(
    sampler: str, study: optuna.Study, n_trials: int, space: dict[str, BaseDistribution] = SPACE
) -> list[dict[str, float]]:
    experiment = make_experiment(search={"sampler": sampler, "n_startup_trials": 5, "population_size": 6, "batch": 1})
    asking = Asking(experiment, space, study)
    for _ in range(n_trials):
        (trial,) = asking.batch(1)
        study.tell(trial.number, height(trial.params) if space is SPACE else 0.0)
    return [trial.params for trial in study.trials]


@pytest.fixture(autouse=True)
def _quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)


@pytest.mark.parametrize("sampler", INSTALLED)
def test_samplers_are_reproducible_stay_in_range_and_resume(sampler: str) -> None:
    whole, again = (optuna.create_study(direction="maximize") for _ in range(2))
    drawn = run(sampler, whole, 24)
    assert run(sampler, again, 13) == drawn[:13]
    assert run(sampler, again, 11) == drawn  # another sampler object for every trial: nothing is kept but the study
    assert all(SPACE[name].low <= value <= SPACE[name].high for params in drawn for name, value in params.items())
    assert len({params["b"] for params in drawn}) > 12  # the genetic ones inherit values


@pytest.mark.parametrize("sampler", ["tpe", "cmaes"])
def test_those_that_learn_get_nearer_than_chance(sampler: str) -> None:
    learned = max(map(height, run(sampler, optuna.create_study(direction="maximize"), 80)))
    chance = max(map(height, run("random", optuna.create_study(direction="maximize"), 80)))
    assert learned > -0.02 > chance


@pytest.mark.parametrize(
    "settings", [{}, {"multivariate": False}, {"batch": 1}, {"objectives": ["returns", "sharpe"]}], ids=str
)
def test_tpe_draws_what_optunas_own_sampler_draws(settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    space = {**SPACE, "d": CategoricalDistribution((1.0, 2.0, 4.0)), "e": FloatDistribution(0.0, 9.0, step=3.0)}
    experiment = make_experiment(search={"n_startup_trials": 5, "batch": 4, **settings})
    n_values = len(experiment.search_objectives)

    def drawn() -> list[dict[str, float]]:
        study = optuna.create_study(directions=["maximize"] * n_values)
        asking = Asking(experiment, space, study)
        while len(study.trials) < 40:
            for trial in asking.batch(40):
                running = optuna.trial.Trial(study, trial._trial_id)
                if trial.number % 7 == 5:
                    study.tell(trial.number, state=TrialState.FAIL)
                elif trial.number % 9 == 4 and n_values == 1:
                    running.report(height(trial.params), 0)
                    study.tell(trial.number, state=TrialState.PRUNED)
                else:
                    running.set_constraint("c", trial.params["b"] - 2.0)
                    study.tell(trial.number, [height(trial.params) * (1 - 2 * index) for index in range(n_values)])
        return [trial.params for trial in study.trials]

    found = drawn()
    monkeypatch.setattr(BatchTPESampler, "_sample", TPESampler._sample)
    assert found == drawn()
    monkeypatch.setattr(Samplers, "at", lambda self, place: Samplers(experiment)._new(place))
    assert found == drawn()


def test_cma_stores_no_pickle_and_ignores_enqueued_trials() -> None:
    study = optuna.create_study(direction="maximize")
    study.add_trial(optuna.create_trial(params={"a": 3.0, "b": 1.0, "c": 30.0}, distributions=SPACE, value=0.0))
    run("cmaes", study, 20)
    attributes = [trial.system_attrs for trial in study.trials]
    assert GENERATION not in attributes[0]
    assert [each[GENERATION] for each in attributes[1:]] == [index // 7 for index in range(20)]  # 4 + int(3 ln 3)
    assert all(set(each) == {GENERATION} for each in attributes[1:])


def test_cma_starts_again_with_twice_the_population_where_it_has_converged() -> None:
    study, progress = optuna.create_study(direction="maximize"), CmaProgress()
    for seed in range(220):
        study.sampler = CmaSampler(seed, progress)
        study.sampler.infer_relative_search_space = lambda *_: dict(SPACE)  # type: ignore[method-assign]
        trial = study.ask(SPACE)
        study.tell(trial, 0.0)  # a plain: nothing left to gain
    optimiser, generation = progress.advance(study, SPACE)
    assert optimiser.population_size == 14
    assert optimiser.generation < generation
    rebuilt, same = CmaProgress().advance(study, SPACE)
    assert (rebuilt.population_size, rebuilt.generation, same) == (14, optimiser.generation, generation)


def test_quasi_random_points_fill_the_space_evenly() -> None:
    study, cube = optuna.create_study(direction="maximize"), UnitCube(SPACE)
    points = np.array([cube.point(params) for params in run("qmc", study, 16)])
    for column in points.T:
        assert sorted((16 * column).astype(int)) == list(range(16))  # a scrambled Sobol sequence: one in each sixteenth


def test_quasi_random_choices_and_steps_come_up_equally_often() -> None:
    space = {"s": FloatDistribution(1.0, 7.0, step=2.0), "c": CategoricalDistribution((3.0, 5.0, 50.0, 60.0))}
    drawn = run("qmc", optuna.create_study(direction="maximize"), 16, space=space)
    for name, values in (("s", (1.0, 3.0, 5.0, 7.0)), ("c", (3.0, 5.0, 50.0, 60.0))):
        assert [sum(params[name] == value for params in drawn) for value in values] == [4, 4, 4, 4]


@given(st.floats(0.0, 1.0))
def test_the_cube_goes_there_and_back(place: float) -> None:
    space = {**SPACE, "steps": FloatDistribution(1.0, 9.0, step=2.0)}
    cube = UnitCube(space)
    params = cube.params(np.full(4, place))
    assert all(space[name]._contains(value) for name, value in params.items())
    point = cube.point(params)
    assert point[:3] == pytest.approx(place, abs=1e-12)
    assert abs(point[3] - place) <= 0.1 + 1e-12
    assert cube.params(point) == pytest.approx(params)


def test_spaces_that_a_sampler_does_not_support_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    search = make_experiment(search={"sampler": "cmaes"}).search
    check_sampler(search, SPACE)
    with pytest.raises(ConfigError, match="supports ranges only, and d has choices"):
        check_sampler(search, {**SPACE, "d": CategoricalDistribution((1.0, 2.0))})
    with pytest.raises(ConfigError, match="for one objective, and this study has 2"):
        check_sampler(search, SPACE, 2)
    with pytest.raises(ConfigError, match="needs two values to search"):
        check_sampler(search, {"a": SPACE["a"]})
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"needs the package torch: pip install 'quantsim\[gp\]'"):
        check_sampler(make_experiment(search={"sampler": "gp"}).search, SPACE)
    with pytest.raises(ConfigError, match=r"did you mean 'cmaes'|'tpe', 'cmaes'"):
        make_experiment(search={"sampler": "cmase"})
