"""Stored parameter sets in Python: each is taken into the study that it means something in, and refused elsewhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from run_support import DAYS, keep

import quantsim
from quantsim import CheckpointStore
from quantsim.checkpoints.finding import best_of_search, start_from, starts_from
from quantsim.checkpoints.starts import Start, comparable_starts
from quantsim.errors import CheckpointError, ConfigError, PriceError, SelectionError
from quantsim.report.deployment import deployment

FEES = DAYS.override(["fees.swap_fee=0.003"])
SWAPPED = DAYS.override(['data.tokens=["ETH","BTC"]'])
METRIC = DAYS.objective.name


def test_a_set_comes_with_the_study_of_its_run(store: CheckpointStore) -> None:
    row = keep(store, FEES)
    for which in (row.key, "best", "best_validation"):
        start = quantsim.start_from(store, which)
        assert start.experiment.identity == FEES.identity
        assert {name: tuple(values) for name, values in start.params.items()} == row.raw
        assert {name: tuple(values) for name, values in start.human.items()} == row.human
        assert start.differences() == ()
    shown = start_from(store, "best", changes=["objective.report=['returns']"])
    assert shown.experiment.objective.report == ("returns",)


@pytest.mark.parametrize("given", [{"study": DAYS}, {"changes": ["fees.swap_fee=0.0"]}])
def test_another_study_is_refused_unless_it_is_asked_for(store: CheckpointStore, given: dict) -> None:
    row = keep(store, FEES)
    for which in (row.key, "best"):
        with pytest.raises((ConfigError, SelectionError), match=r"fees\.swap_fee: 0\.003 → 0\.0"):
            start_from(store, which, **given)
    start = start_from(store, "best", **given, as_study=True)
    assert start.experiment.fees.swap_fee == 0.0
    assert start.differences() == ("fees.swap_fee: 0.003 → 0.0",)
    (begun,) = starts_from(store, ["best"], **given)  # a new run may differ
    assert begun.differences() == start.differences()


def test_other_tokens_or_another_rule_are_refused_everywhere(store: CheckpointStore) -> None:
    row = keep(store, SWAPPED)
    start = start_from(store, row.key)
    for refused in (
        lambda: start.raw_for(DAYS),
        lambda: start.differences(DAYS),
        lambda: deployment(DAYS, start),
        lambda: start_from(store, row.key, study=DAYS, as_study=True),
        lambda: starts_from(store, [row.key], study=DAYS),
        lambda: start.raw_for(SWAPPED.override(["pool.rule=anti_momentum"])),
    ):
        with pytest.raises(ConfigError, match="rule, tokens and their order must agree"):
            refused()


def test_a_memory_stays_as_many_days_in_a_study_with_other_chunks(store: CheckpointStore) -> None:
    keep(store)
    coarse = DAYS.override(["update.chunk_minutes=4320"])
    start = start_from(store, "best", study=coarse, as_study=True)
    assert not np.allclose(start.params["logit_lamb"], start.checkpoint.params["logit_lamb"])
    np.testing.assert_allclose(
        coarse.human_parameters(start.params)["memory_days"], start.checkpoint.human["memory_days"], rtol=1e-9
    )


def test_a_method_that_runs_of_several_studies_could_answer_is_refused(store: CheckpointStore) -> None:
    one, other = keep(store, FEES), keep(store)
    for refused in (lambda: start_from(store), lambda: starts_from(store, ["best_train"])):
        with pytest.raises(
            SelectionError, match=r"(?s)runs of 2 studies.*fees\.swap_fee 0\.003, and 0\.0 in the newest"
        ):
            refused()
    with pytest.raises(ConfigError, match="have different studies"):
        starts_from(store, [one.key, other.key])
    assert start_from(store, study=FEES).checkpoint.key == one.key
    assert start_from(store, run=other.run_id[:6]).checkpoint.key == other.key
    with pytest.raises(ConfigError, match="is a checkpoint of another run"):
        start_from(store, one.key, run=other.run_id)
    with pytest.raises(ConfigError, match="is for a stored study, but study 'momentum_zero_fee' is given"):
        start_from(store, one.key, study=DAYS, rule_files=["mine.py"])


def test_missing_metrics_are_named(store: CheckpointStore) -> None:
    with pytest.raises(SelectionError, match="has no run to select from"):
        start_from(store)
    keep(store)
    with pytest.raises(SelectionError, match="did you mean 'best_train'"):
        start_from(store, "best_trian")
    with pytest.raises(CheckpointError, match="00000000"):
        start_from(store, "00000000:1:0")
    with pytest.raises(SelectionError, match="has no search named 'none'"):
        best_of_search(store, "none")
    with pytest.raises(ConfigError, match="there is no start"):
        starts_from(store, [])


def test_other_prices_than_those_of_the_run_are_refused(store: CheckpointStore) -> None:
    keep(store, data_id="0123")
    start = start_from(store)
    start.check_prices("0123")
    with pytest.raises(PriceError, match="are not those of the run"):
        start.check_prices("4567")


def test_figures_that_do_not_come_out_again_are_found(store: CheckpointStore) -> None:
    keep(store, train=1.0, validation=float("nan"), test=3.0)
    start = start_from(store, "best_train")
    found = {
        "all": {METRIC: 7.0},
        "train": {METRIC: 1.0 + 1e-9},
        "validation": {METRIC: float("nan")},
        "test": {METRIC: 2.0},
    }
    assert start.changed(found, METRIC) == {"test": (3.0, 2.0)}


def test_the_first_checkpoint_with_the_same_parameters_is_the_origin(store: CheckpointStore) -> None:
    first, _, last = keep(store), keep(store, FEES), keep(store)
    assert start_from(store, last.key).origin == first.key
    assert start_from(store, first.key).origin is None
    assert deployment(DAYS, start_from(store, last.key))["checkpoint"]["origin"] == first.key


def test_starts_of_which_the_metrics_compare(store: CheckpointStore) -> None:
    rows = [keep(store), keep(store, data_id="other"), keep(store, FEES)]
    starts = starts_from(store, [row.key for row in rows], study=DAYS)
    assert comparable_starts(starts, "d") == ([rows[0]], ("momentum_zero_fee",))


def test_the_best_of_a_search_are_ranked_on_validation(store: CheckpointStore) -> None:
    row = keep(store, driver="search", notes={"study": "mine"}, train=5.0, validation=1.0)
    store.resume_run(row.run_id)
    better = replace(row, step=1, raw={**row.raw, "log_k": (1.0, 1.0)}, metrics={"validation": {METRIC: 2.0}})
    store.append(row.run_id, [better])
    keep(store, FEES, driver="search", validation=9.0)  # another study of the same name, and the newest
    assert [start.checkpoint.step for start in best_of_search(store, "mine", 3)] == [1, 0]
    (newest,) = best_of_search(store, "momentum_zero_fee", 3)
    assert newest.experiment.identity == FEES.identity
    assert "1 other searches are not comparable" in newest.reason
    with pytest.raises(SelectionError, match="is not a search named 'mine'"):
        best_of_search(store, "mine", run=newest.run.run_id)


def test_a_parameter_that_only_one_study_has_is_a_difference(store: CheckpointStore) -> None:
    tuned = DAYS.override(["parameters.swap_fee=0.002"])
    rows = {study: keep(store, study) for study in (DAYS, tuned)}
    starts = {study: Start(row, store.run(row.run_id), study) for study, row in rows.items()}
    assert starts[DAYS].differences() == ()
    (added,) = starts[DAYS].differences(tuned)
    assert added.startswith("parameters.swap_fee: not set → [0.002")
    (gone,) = starts[tuned].differences(DAYS)
    assert gone.startswith("parameters.logit_swap_fee: [")
    assert starts[tuned].raw_for(DAYS).keys() == rows[DAYS].raw.keys()
