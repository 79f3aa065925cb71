"""Search and gradients together on the command line: ``hybrid``, and ``sgd --from-study``."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from command_support import SMALL_SGD

from quantsim import CheckpointStore
from quantsim.checkpoints import top
from quantsim.drivers.sgd import GradientDriver

SMALL = ("--trials", "3", "--top", "2", "--rounds", "1", "--set", "hybrid.steps=2", "--set", "data.bar_minutes=1440")
METRIC = "daily_log_sharpe"


def test_a_hybrid_run_is_interrupted_resumed_and_shown(cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def stop(*_args, **_options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(GradientDriver, "runs", stop)
        cut = cli("hybrid", *SMALL, "--tensorboard", "board")
    assert cut.exit_code == 130
    assert "Kept: round 1 up to evaluation 3 of 3 of its search" in cut.stderr
    assert "Give the same command again" in cut.stderr
    result = cli("hybrid", *SMALL, "--tensorboard", "board")
    assert result.exit_code == 0, result.output
    assert "round 1 of at most 1, fine-tuning" in result.stderr
    assert "all rounds are done" in result.stdout
    assert re.search(r"1 search +3 +earlier", result.stdout)
    assert re.search(r"1 gradients +\d+ +\d+\.\d .*[+-]\d(\.\d+)? ", result.stdout)
    assert "chosen by validation data" in result.stdout
    assert "name momentum_fees-hybrid-" in result.stdout
    assert "The selected set is trial" in result.stdout
    assert "Warning: validation data was used for both search and selection" in result.stdout
    with CheckpointStore("quantsim-results/checkpoints.db") as store:
        assert sorted((run.driver, run.status) for run in store.find_runs()) == [
            ("search", "finished"),
            ("sgd", "finished"),
        ]
        folders = {f"momentum_fees-{run.driver}-{run.run_id[:8]}" for run in store.find_runs()}
    assert {path.parent.name for path in Path("board").glob("*/events.out.tfevents.*")} == folders
    quiet = cli("hybrid", *SMALL, "--quiet", "--max-minutes", "5", "--max-evaluations", "9")
    assert quiet.exit_code == 0
    assert "evaluation 3 of 3" not in quiet.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--max-evaluations", "100"), "hybrid: max_evaluations = 100 is less than one round needs"),
        (("--set", "hybrid.top=0"), "hybrid.top"),
        (("--set", "pool.rule=hodl", "--set", "parameters={}", "--set", "fees={}"), "nothing to search"),
        (("--storage", "study.txt"), "study.txt"),
    ],
)
def test_hybrid_refuses_before_it_begins(cli, tmp_path: Path, arguments, message):
    result = cli("hybrid", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


def test_hybrid_explains_itself(cli):
    assert "--max-evaluations" in cli("hybrid", "--help").stdout


def test_gradients_fine_tune_the_best_of_a_study(cli, own_results: Path):
    with CheckpointStore(own_results) as store:
        (search,) = store.find_runs(driver="search")
        best = top(store.checkpoints(run_id=search.run_id), 3, "validation", METRIC)
    for name in ("momentum_fees", search.notes["study"]):
        result = cli("sgd", *SMALL_SGD, "--from-study", name, "--top", "3", "--store", own_results)
        assert result.exit_code == 0, result.output
        assert f"Starting from {best[0].key} of run 'momentum_fees' (search), number 1 by validation" in result.stderr
        with CheckpointStore(own_results) as store:
            run = store.find_runs(driver="sgd")[0]
            starts = [row for row in store.checkpoints(run_id=run.run_id) if row.step == 0]
        assert [row.raw for row in starts] == [row.raw for row in best]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--from-study", "momentum_feez"), "did you mean 'momentum_fees'?"),
        (("--from-study", "momentum_fees", "--from", "best"), "both set the start"),
        (("--top", "3"), "--top 3 needs a search"),
        (("--from-study", "momentum_fees", "--set", 'data.tokens=["ETH","BTC"]'), "rule, tokens and their order"),
        (("--from-study", "momentum_fees", "--set", "objective.metric=rvr"), "did not store rvr"),
    ],
)
def test_fine_tuning_of_no_such_study_is_refused(cli, results: Path, arguments, message):
    result = cli("sgd", *arguments, "--store", results)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


def test_fine_tuning_without_results_is_an_error_with_the_remedy(cli):
    result = cli("sgd", "--from-study", "momentum_fees")
    assert result.exit_code == 2
    assert "there are no results yet" in result.stderr
