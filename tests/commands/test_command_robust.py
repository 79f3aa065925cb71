"""``quantsim robust``: what it prints, what it writes, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from quantsim.checkpoints import CheckpointStore

FEW = ("--variations", "2", "--kind", "price_noise", "--metric", "returns")


def test_robust_varies_a_stored_set(cli, results: Path):
    store = ("--store", results)
    with CheckpointStore(results) as opened:
        run = opened.find_runs(driver="sgd")[0]
        checkpoint = opened.checkpoints(run_id=run.run_id)[-1]
    found = cli("robust", checkpoint.key, *FEW, *store, "--json", "--plot", "robust.png")
    assert found.exit_code == 0, found.output
    values = json.loads(found.stdout)
    assert list(values["kinds"]) == ["price_noise"]
    for split, table in values["kinds"]["price_noise"]["splits"].items():
        assert table["returns"]["set"]["point"] == pytest.approx(checkpoint.metrics[split]["returns"])
    assert Path("robust.png").read_bytes().startswith(b"\x89PNG")
    shown = cli("robust", checkpoint.key, *FEW, *store)
    assert "returns under variations (%)" in shown.stdout
    assert (
        f"price noise: 2 variations, independent noise of 0.1 % on every price.\n{values['judgement']}" in shown.stdout
    )
    assert checkpoint.key in shown.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--variations", "0"), "n = 0 variations of each kind"),
        (("--radius", "-1"), "radius = -1.0 must be above 0"),
        (("--metric", "retuns"), "unknown metric 'retuns'"),
        (("--kind", "cost"), "kind 'cost' of variations: did you mean 'costs'?"),
        (("--plot", "robust.txt"), "--plot robust.txt"),
        (("--as-study",), "--as-study needs a stored parameter set"),
        (("best", "--store", "nowhere.db"), "nowhere.db"),
    ],
)
def test_bad_options_are_errors(cli, arguments: tuple[str, ...], message: str):
    result = cli("robust", *arguments)
    assert result.exit_code == 2
    assert message in result.output
