"""Real processes: interrupts and taking up again, the dashboard, the checkout's ``cli.py``."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

from command_support import ROOT, SMALL_SEARCH, invoke

from quantsim import CheckpointStore, __version__

DAYS = ("--set", "data.bar_minutes=1440")
LONG_SGD = ("sgd", "--steps", "100000", "--set", "sgd.report_every=5", "--set", "sgd.n_parameter_sets=2", *DAYS)
LONG_SEARCH = ("optuna", "--trials", "100000", *DAYS)


def wait_for_report(process: subprocess.Popen[str], what: str) -> None:
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        if line.startswith(what):
            return
        seen.append(line)
    raise AssertionError(f"the process ended with {process.wait()} before it reported:\n{''.join(seen)}")


def stop(process: subprocess.Popen[str], number: signal.Signals) -> str:
    process.send_signal(number)
    _, rest = process.communicate(timeout=60)
    return rest


def test_interrupted_training_is_stored_and_resumed(process, tmp_path: Path, compilations: Path):
    location = tmp_path / "quantsim-results" / "checkpoints.db"
    first = process(*LONG_SGD)
    wait_for_report(first, "step 0 of")
    message = stop(first, signal.SIGINT)
    assert first.returncode == 130
    kept = int(re.search(r"up to step (\d+) of 100000", message)[1])
    with CheckpointStore(location) as store:
        (run,) = store.find_runs(status="interrupted")
        assert store.load_state(run.run_id).step == kept
    assert any((compilations / "quantsim" / "xla").iterdir())

    second = process(*LONG_SGD)
    wait_for_report(second, "step ")
    assert "Give the same command again" in stop(second, signal.SIGTERM)
    assert second.returncode == 143
    with CheckpointStore(location) as store:
        assert [again.run_id for again in store.find_runs()] == [run.run_id]
        assert store.load_state(run.run_id).step > kept


def test_an_interrupted_search_is_stored_and_resumed(process, tmp_path: Path):
    first = process(*LONG_SEARCH)
    wait_for_report(first, "trial ")
    message = stop(first, signal.SIGINT)
    assert first.returncode == 130
    assert "Give the same command again" in message
    kept = int(re.search(r"Kept: (\d+) of", message)[1])

    second = process("optuna", "--trials", str(kept + 2), *DAYS)
    output, errors = second.communicate(timeout=120)
    assert second.returncode == 0, errors
    assert f"{kept + 2} trials" in output
    with CheckpointStore(tmp_path / "quantsim-results" / "checkpoints.db") as store:
        (run,) = store.find_runs()
        assert len(store.checkpoints(run_id=run.run_id)) == kept + 2


def test_dashboard_serves_the_study(process, tmp_path: Path):
    made = invoke("optuna", *SMALL_SEARCH, "--study-name", "seen", "--store", tmp_path / "c.db")
    assert made.exit_code == 0
    server = process("dashboard", "--port", "0", "--store", "c.db")
    try:
        assert server.stdout is not None
        address = next(found[0] for line in server.stdout if (found := re.search(r"http://127\.0\.0\.1:\d+/", line)))
        with urllib.request.urlopen(f"{address}api/studies", timeout=30) as answer:  # noqa: S310
            studies = json.load(answer)["study_summaries"]
        assert [study["study_name"] for study in studies] == ["seen"]
    finally:
        message = stop(server, signal.SIGINT)
    assert server.returncode == 130
    assert "Traceback" not in message


def test_checkout_runs_without_installation(tmp_path: Path):
    command = [sys.executable, str(ROOT / "cli.py"), "--version"]
    shown = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert shown == f"quantsim {__version__}\n"
