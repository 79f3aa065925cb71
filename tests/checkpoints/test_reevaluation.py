"""Methods that need daily returns or an evaluator get them from the store and from the study of the runs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from run_support import DAYS, keep

import quantsim
from quantsim import CheckpointStore, Evaluator
from quantsim.checkpoints import Checkpoint, select
from quantsim.checkpoints.scores import N_NEIGHBOURS
from quantsim.errors import SelectionError
from quantsim.robustness import neighbours

STUDY = DAYS.override(['objective.report=["information_ratio"]'])
METRIC = STUDY.objective.name
MEMORIES = (3.0, 15.0, 40.0, 90.0)


@pytest.fixture(scope="module")
def evaluator() -> Evaluator:
    return Evaluator(STUDY)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, evaluator: Evaluator) -> Iterator[CheckpointStore]:
    """A finished search of the study on daily bars, with four trials and their daily returns."""
    with CheckpointStore(tmp_path_factory.mktemp("evaluated") / "c.db") as store:
        run_id = store.begin_run(
            experiment_id=STUDY.identity,
            data_id=evaluator.data_id,
            name=STUDY.name,
            driver="search",
            config=STUDY.model_dump(mode="json"),
        )
        trials = [STUDY.initial_parameters({"memory_days": days}) for days in MEMORIES]
        found = evaluator.evaluate_sets({name: np.stack([one[name] for one in trials]) for name in trials[0]})
        store.append(
            run_id,
            [
                Checkpoint(
                    run_id, number, 0, "search", {name: tuple(values) for name, values in raw.items()},
                    STUDY.human_parameters(raw), found.metrics_of(number), daily_log_returns=found.returns_of(number),
                )
                for number, raw in enumerate(trials)
            ],
        )  # fmt: skip
        store.set_baselines(run_id, evaluator.baselines())
        store.finish_run(run_id)
        yield store


def test_returns_of_the_store_are_those_that_select_reads(store, evaluator):
    (run,) = store.find_runs()
    rows = store.checkpoints(run_id=run.run_id)
    sets = {name: np.stack([row.params[name] for row in rows]) for name in rows[0].params}
    found = evaluator.evaluate_sets(sets)
    whole = [
        Checkpoint(
            row.run_id,
            row.step,
            0,
            row.driver,
            row.raw,
            row.human,
            row.metrics,
            daily_log_returns=found.returns_of(index),
        )
        for index, row in enumerate(rows)
    ]
    constant = evaluator.baselines()["constant_weights"].daily_log_returns
    for method, metric in itertools.product(("validation_lower", "consistent"), (METRIC, "information_ratio")):
        expected = select(whole, method, metric, constant_weights=constant)
        picked = quantsim.pick(store, method, metrics=[metric])
        assert picked.checkpoint.key == expected.checkpoint.key
        assert picked.selection.notes == expected.notes
        assert set(picked.checkpoint.metrics) == {"train", "validation", "test"}


def test_plateau_evaluates_in_the_study_of_the_runs(store, evaluator):
    lows = {}
    for row in store.checkpoints():
        values = evaluator.evaluate_many(neighbours(row.params, N_NEIGHBOURS), [METRIC])["validation"][METRIC]
        lows[row.key] = np.sort(values)[1]  # 5 % of 32 are less than two
    best = max(lows, key=lows.get)
    picked = quantsim.pick(store, "plateau")
    assert picked.checkpoint.key == best
    note = f"the selected row has a 5th percentile of validation {METRIC} over neighbours of {lows[best]:.3g}"
    assert picked.selection.notes == (note,)
    assert quantsim.start_from(store, "plateau").checkpoint.key == best
    again = quantsim.pick(store, "plateau", evaluator=evaluator, metrics=[f"{METRIC}"])
    assert again.selection == picked.selection


def test_other_prices_are_not_those_of_the_neighbours(tmp_path):
    with CheckpointStore(tmp_path / "other.db") as store:
        keep(store, data_id="elsewhere", validation=1.0)
        with pytest.raises(SelectionError, match=r"are not those of run .*restore the files, or use another method"):
            quantsim.pick(store, "plateau")
        with pytest.raises(SelectionError, match="no row has daily returns of validation"):
            quantsim.pick(store, "validation_lower")
