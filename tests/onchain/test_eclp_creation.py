"""What an E-CLP's contract is created with: a deployed pool, the contract's own checks, and both orders of the tokens."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import quantsim
from quantsim import Experiment
from quantsim.contract.fixed_point import ONE
from quantsim.onchain import contract_document
from quantsim.onchain.eclp import ONE_XP, eclp_contract, eclp_problems

STUDY = Experiment.load("eclp_fees")


def test_the_derived_integers_are_those_of_a_deployed_pool() -> None:
    """The pool of sDAI and GYD, 0x2191df821c198600499aa1f0031b1a7514d7a7d9, which Balancer's tests use too."""
    found = eclp_contract(998502246630054917, 1000200040008001600, *[707106781186547524] * 2, 4000 * ONE)
    assert found.to_json() == {
        "eclpParams": {
            "alpha": "998502246630054917",
            "beta": "1000200040008001600",
            "c": "707106781186547524",
            "s": "707106781186547524",
            "lambda": "4000000000000000000000",
        },
        "derivedEclpParams": {
            "tauAlpha": {"x": "-94861212813096057289512505574275160547", "y": "31644119574235279926451292677567331630"},
            "tauBeta": {"x": "37142269533113549537591131345643981951", "y": "92846388265400743995957747409218517601"},
            "u": "66001741173104803338721745994955553010",
            "v": "62245253919818011890633399060291020887",
            "w": "30601134345582732000058913853921008022",
            "z": "-28859471639991253843240999485797747790",
            "dSq": "99999999999999999886624093342106115200",
        },
    }
    assert not list(eclp_problems(found))


@pytest.mark.parametrize("seed", range(3))
def test_drawn_ellipses_pass_the_contracts_checks_and_hold_their_identities(seed: int) -> None:
    generator = np.random.default_rng(seed)
    for _ in range(20):
        middle, width, lam = np.exp(generator.uniform([-7, -3, 0], [7, 1, 9]))
        own = {"alpha": middle / (1 + width), "beta": middle * (1 + width), "lam": lam}
        document = contract_document(STUDY, {**own, "tan_phi": middle * np.exp(0.5 * generator.standard_normal())})
        assert document["refused"] == []
        for order in ("creation", "creation_reversed"):
            derived = document[order]["derivedEclpParams"]
            u, v, w, z, square = (int(derived[name]) / ONE_XP for name in ("u", "v", "w", "z", "dSq"))
            stretch = int(document[order]["eclpParams"]["lambda"]) / ONE
            norm = np.hypot(stretch * u + v, w / stretch + z)
            assert abs(square - 1.0) < 1e-15
            assert norm > 1.0, "no tokens: outside the ellipse"


def test_both_orders_of_the_tokens_are_one_pool() -> None:
    document = contract_document(STUDY)
    forth, back = document["creation"], document["creation_reversed"]
    assert (forth["tokens"], back["tokens"]) == (["ETH", "BTC"], ["BTC", "ETH"])
    assert (forth["eclpParams"]["c"], forth["eclpParams"]["s"]) == (back["eclpParams"]["s"], back["eclpParams"]["c"])
    for one, other in (("alpha", "beta"), ("beta", "alpha")):
        product = int(forth["eclpParams"][one]) * int(back["eclpParams"][other])
        assert product / ONE**2 == pytest.approx(1.0, rel=1e-15)
    for one, other in (("tauAlpha", "tauBeta"), ("tauBeta", "tauAlpha")):
        points = [{axis: int(value) / ONE_XP for axis, value in each.items()} for each in
                  (forth["derivedEclpParams"][one], back["derivedEclpParams"][other])]  # fmt: skip
        assert points[0]["x"] == pytest.approx(-points[1]["x"], rel=1e-15)
        assert points[0]["y"] == pytest.approx(points[1]["y"], rel=1e-15)
    assert forth["swapFeePercentage"] == str(3 * 10**15)
    assert document["replay"] is None


def test_what_the_contract_refuses_is_told() -> None:
    fine = eclp_contract(9 * ONE // 10, 11 * ONE // 10, 8 * ONE // 10, 6 * ONE // 10, 5 * ONE)
    broken = {
        "are not apart": {"beta": fine.alpha},
        "is 0 with 18 decimals": {"alpha": 0},
        "must be from 1 to 1e8": {"lam": 10**26 + 1},
        "the rotation is not of norm 1": {"c": fine.c + 1000},
        "τ\\(α\\) is not of norm 1": {"tau_alpha": (fine.tau_alpha[0], -fine.tau_alpha[1])},
        "τ\\(α\\) and τ\\(β\\) are not apart": {"tau_alpha": fine.tau_beta},
        "u, v, w or z is above 1": {"v": ONE_XP + 1},
        "dSq is not 1": {"d_sq": ONE_XP + 10**24},
    }
    for text, changed in broken.items():
        problems = [problem.text for problem in eclp_problems(replace(fine, **changed))]
        assert any(np.char.find(problem, text.replace("\\", "")) >= 0 for problem in problems), text
    narrow = contract_document(STUDY, {"alpha": 0.05, "beta": 0.05 * (1 + 1e-7), "tan_phi": 0.05, "lam": 1.0})
    assert narrow["creation"] is None
    assert "the range is too narrow" in narrow["refused"][0]


def test_export_has_what_creates_the_contract() -> None:
    (pool,) = quantsim.deployment(STUDY, STUDY.initial_parameters())["pools"]
    assert pool["remarks"] == []
    assert {one["name"] for one in pool["parameters"]} == {"alpha", "beta", "tan_phi", "lam"}
    assert list(pool["contract"]["creation"]) == [
        "name", "symbol", "tokens", "eclpParams", "derivedEclpParams", "roleAccounts", "swapFeePercentage",
        "poolHooksContract", "enableDonation", "disableUnbalancedLiquidity", "salt",
    ]  # fmt: skip
    varying = contract_document(STUDY.replace(fees={"swap_fee": 1e-7}))
    assert varying["creation"]["swapFeePercentage"] is None
    assert "swap_fee = 1e-07" in varying["warnings"][0]
