"""``simulate --arithmetic contract`` and what ``export`` says of contracts."""

from __future__ import annotations

import json

import pytest
from command_support import invoke
from run_support import TINY_STUDY


@pytest.fixture
def study(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(TINY_STUDY.replace("[search]", "[fees]\nswap_fee = 0.003\n[search]"))
    return path


CONTRACT = ("--split", "test", "--arithmetic", "contract")


def test_a_simulation_says_its_difference_to_floating_point(study):
    done = invoke("simulate", "--study", study, *CONTRACT, "--oracle-delay", 86_400)
    assert done.exit_code == 0, done.output
    assert "Contract arithmetic: 30 updates; " in done.stdout
    assert "basis points at the end" in done.stdout
    assert "needs contracts with a uint40 interval" in done.stderr


def test_updates_come_when_a_table_says(study, tmp_path):
    table = tmp_path / "updates.csv"
    table.write_text("time\n2018-07-03T00:00:00\n2018-07-03T06:00:00\n2018-07-09T00:00:00\n")
    done = invoke("simulate", "--study", study, *CONTRACT, "--update-times", table, "--json")
    contract = json.loads(done.stdout)["contract"]
    assert contract["difference"]["updates"] == 2
    assert contract["difference"]["largest_weight"] > 0.0
    assert len(contract["refused_updates"]) == 1
    assert contract["settings"]["updateInterval"] == 86_400
    assert contract["refused"] == []


def test_options_of_the_chain_need_the_arithmetic(study):
    done = invoke("simulate", "--study", study, "--update-delay", 60)
    assert done.exit_code == 2
    assert "chain is for arithmetic = 'contract'" in done.stderr


def test_an_export_has_the_contract_and_says_what_it_refuses(study):
    done = invoke("export", "--study", study)
    (pool,) = json.loads(done.stdout)["pools"]
    assert len(pool["contract"]["replay"]["updates"]) == 30
    assert pool["contract"]["creation"]["swapFeePercentage"] == "3000000000000000"
    assert "contract: update.chunk_minutes" in done.stderr
    refused = ("--study", study, "--set", "update.use_alt_lamb=true")
    done = invoke("export", *refused, "--no-replay")
    assert done.exit_code == 0
    assert "Refused by QuantAMM's contracts: " in done.stderr
    assert json.loads(done.stdout)["pools"][0]["contract"]["creation"] is None
    strict = invoke("export", *refused, "--strict")
    assert strict.exit_code == 2
    assert "the contracts cannot run this" in strict.stderr
    assert not strict.stdout


def test_an_export_without_prices_has_no_replay(study):
    done = invoke("export", "--study", study, "--set", "data.source=nowhere")
    assert done.exit_code == 0
    assert "no replay, and no initial state of the rule" in done.stderr
    assert json.loads(done.stdout)["pools"][0]["contract"]["replay"] is None
