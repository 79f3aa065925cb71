"""Wrong input: one message with the remedy, exit code 2, nothing written; and no password anywhere."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from quantsim import CheckpointStore, Experiment, commands
from quantsim.api import simulation
from quantsim.checkpoints import Checkpoint
from quantsim.commands import main
from quantsim.config.locate import find_study
from quantsim.errors import PriceError


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sgd", "--study", "momentum_fee"), "did you mean 'momentum_fees'?"),
        (("sgd", "--set", "sgd.stepz=4"), "did you mean 'steps'?"),
        (("sgd", "--set", "sgd.steps"), "key=value"),
        (("sgd", "--set", "objective.metric=daily_shrpe"), "did you mean 'daily_sharpe'?"),
        (("sgd", "--steps", "0"), "--steps"),
        (("sgd", "--from", "best"), "run `quantsim sgd` or `quantsim optuna` first"),
        (("optuna", "--trials", "0"), "--trials"),
        (("optuna", "--storage", "study.txt"), ".journal"),
        (("optuna", "--set", "pool.rule=hodl", "--set", "parameters={}", "--set", "fees={}"), "nothing to search"),
        (("simulate", "--param", "memory=3"), "did you mean 'memory_days'?"),
        (("simulate", "--param", "memory_days=long"), "name=number"),
        (("simulate", "--param", "memory_days=-1"), "a positive number of days"),
        (("simulate", "--param", "memory_days=1,2,3"), "2 numbers"),
        (("simulate", "--csv", "path.xlsx"), ".csv or .parquet"),
        (("simulate", "--plot", "pool.bmp"), ".png"),
        (("simulate", "--plot", "nowhere/pool.png"), "there is no folder"),
        (("simulate", "--split", "tests"), "tests"),
        (("simulate", "--split", "test", "--set", "periods.test_end=2018-12-01"), "test_end"),
        (("select",), "run `quantsim sgd` or `quantsim optuna` first"),
        (("dashboard",), "run `quantsim optuna` first"),
        (("dashboard", "--port", "70000"), "--port"),
        (("sgd", "--tensorboard", "/dev/null"), "is a file: name a folder for TensorBoard's files"),
        (("prices", "--source", "nowhere"), "does not exist; give a file, a folder"),
        (
            ("optuna", "--plots", "/dev/null/pages"),
            "pages cannot be written to /dev/null/pages: Not a directory; name another",
        ),
    ],
)
def test_refused_with_the_remedy(cli, tmp_path: Path, arguments, message):
    result = cli(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("select", "--metric", "daily_shrpe"), "did you mean 'daily_sharpe'?"),
        (("select", "--method", "best_validatoin"), "did you mean 'best_validation'?"),
        (("select", "--split-minimum", "1"), "has no minimum"),
        (("select", "--metric=-turnover"), "a minus is only for pareto_front and balanced"),
        (("select", "--study", "momentum_fees", "--set", "fees.swap_fee=0.1"), "no run of study"),
        (("select", "--set", "fees.swap_fee=0.1"), "--study"),
        (("select", "--run", "latest"), "is not a run id"),
        (("simulate", "--from", "best_trian"), "did you mean 'best_train'?"),
        (("simulate", "--from", "00000000:1:0"), "00000000"),
        (("simulate", "--study", "momentum_zero_fee", "--from", "best_train_per_set"), "selects 2 checkpoints"),
        (("sgd", "--from", "best"), "there are runs of 2 studies"),
    ],
)
def test_refused_beside_results(cli, results: Path, arguments, message):
    result = cli(*arguments, "--store", results)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("option", ["--store", "--storage"])
@pytest.mark.parametrize("verbose", [(), ("-v",)])
def test_passwords_are_not_shown(cli, option, verbose):
    result = cli("optuna", option, "postgresql+nodriver://ann:s3cret@localhost/db", *verbose)
    assert result.exit_code == 2
    assert "s3cret" not in result.output
    assert "ann:***@localhost" in result.stderr


def test_a_checkpoint_of_other_tokens_is_refused(cli, tmp_path: Path):
    swapped = Experiment.load(find_study("momentum_fees")).override(['data.tokens=["ETH","BTC"]'])
    with CheckpointStore(tmp_path / "c.db") as store:
        config = swapped.model_dump(mode="json")
        run_id = store.begin_run(experiment_id=swapped.identity, data_id="0", driver="sgd", config=config)
        raw = {name: tuple(values) for name, values in swapped.initial_parameters().items()}
        store.append(run_id, [Checkpoint(run_id, 0, 0, "sgd", raw)])
    result = cli("simulate", "--study", "momentum_fees", "--from", f"{run_id[:8]}:0:0", "--store", "c.db")
    assert result.exit_code == 2
    assert "rule, tokens and their order must agree" in result.stderr


def test_notes_are_shown_and_the_traceback_only_when_asked_for(cli, monkeypatch):
    def fail(*_args, **_options):
        error = PriceError("the price is wrong")
        error.add_note("while laying out the test period")
        raise error

    monkeypatch.setattr(simulation, "simulate", fail)
    plain, verbose = cli("simulate"), cli("-v", "simulate")
    assert plain.exit_code == verbose.exit_code == 2
    assert plain.stderr == "Error: the price is wrong\n  while laying out the test period\n"
    assert "Traceback" in verbose.stderr
    assert "while laying out" in verbose.stderr


def test_missing_extras_name_the_remedy(cli, results: Path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna_dashboard", None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    dashboard = cli("dashboard", "--store", results)
    plot = cli("simulate", "--plot", "pool.png")
    assert dashboard.exit_code == plot.exit_code == 2
    assert "pip install 'quantsim[dashboard]'" in dashboard.stderr
    assert "pip install 'quantsim[plots]'" in plot.stderr


def test_a_system_error_is_one_message(cli, monkeypatch):
    def fail(*_args, **_options):
        raise OSError(28, "No space left on device", "somewhere")

    monkeypatch.setattr(simulation, "simulate", fail)
    result = cli("simulate")
    assert result.exit_code == 2
    assert result.stderr == "Error: No space left on device: somewhere\n"


def test_a_wrong_number_of_threads_is_refused_with_the_remedy(monkeypatch, capsys):
    monkeypatch.setenv("QUANTSIM_THREADS", "all")
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "Error: QUANTSIM_THREADS = 'all' must be a whole number" in capsys.readouterr().err


@pytest.mark.parametrize(("code", "at_once"), [(130, True), (143, True), (2, False), (0, False)])
def test_an_interrupted_command_ends_without_tearing_down_what_computes(monkeypatch, code: int, at_once: bool):
    """Python ends while threads of XLA compile, which crashes at times, with another exit code."""
    called = []

    def command(**_options):
        raise SystemExit(code)

    monkeypatch.setattr(commands, "prepare_environment", lambda: None)
    monkeypatch.setattr("quantsim.commands.app.app", command)
    monkeypatch.setattr("atexit._run_exitfuncs", lambda: called.append("exit functions"))
    monkeypatch.setattr("os._exit", called.append)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == code
    assert called == (["exit functions", code] if at_once else [])
