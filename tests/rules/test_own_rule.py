"""Rules of users' own files: found by name, part of the identity, and at work in both drivers."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from quantsim import Axis, CheckpointStore, Evaluator, Experiment, Prices, evaluate_grid, simulate
from quantsim.commands.app import app
from quantsim.drivers.hybrid import run_hybrid
from quantsim.drivers.search import run_search
from quantsim.drivers.sgd import run_sgd
from quantsim.errors import ConfigError
from quantsim.parameters import common
from quantsim.rules import get_rule

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "own_rule.py"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return Path(shutil.copy(EXAMPLE, tmp_path / "mine.py"))


def make_prices() -> Prices:
    generator = np.random.default_rng(3)
    times = np.datetime64("2023-01-01", "s") + np.arange(4 * 120) * np.timedelta64(6 * 3600, "s")
    return Prices(times, np.exp(np.cumsum(0.015 * generator.standard_normal((480, 2)), axis=0)), ("A", "B"), 360)


def make_experiment(rule: str, **tables: Any) -> Experiment:
    return Experiment.from_dict(
        {
            "data": {"tokens": ["A", "B"]},
            "periods": {"train_start": "2023-01-21", "train_end": "2023-03-31", "validation_end": "2023-04-21"},
            "pool": {"rule": rule},
            "update": {"max_memory_days": 20.0},
            "objective": {"report": ["returns_over_hodl"]},
            "sgd": {"steps": 4, "report_every": 2, "batch_size": 1, "n_parameter_sets": 2},
            **tables,
        }
    )


def test_a_rule_is_found_in_its_file(file: Path) -> None:
    rule = get_rule(f"{file}:calm_momentum")
    assert rule.name == "calm_momentum"
    assert get_rule(f"{file}:calm_momentum") is rule, "one program for one rule"


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (None, "calm_momentum", "cannot be read"),
        ("x = 1\n", "calm_momentum", "has no 'calm_momentum'; it has none"),
        ("calm_momentum = 1\n", "calm_momentum", "'calm_momentum' that is not a Rule"),
        ("raise RuntimeError('broken')\n", "calm_momentum", "cannot be run: RuntimeError: broken"),
        ("def f(:\n", "calm_momentum", "cannot be run: SyntaxError"),
        (EXAMPLE.read_text(), "calm_momentun", "has no 'calm_momentun'; it has calm_momentum"),
    ],
)
def test_an_object_that_is_not_a_rule_is_refused(tmp_path: Path, content: str | None, name: str, said: str) -> None:
    path = tmp_path / "rules.py"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError) as caught:
        make_experiment(f"{path}:{name}")
    assert said in str(caught.value)
    assert "pool.rule" in str(caught.value)


def test_the_code_is_part_of_the_identity(file: Path) -> None:
    before = make_experiment(f"{file}:calm_momentum").identity
    assert make_experiment(f"{file}:calm_momentum").identity == before
    file.write_text(file.read_text().replace("default=0.02", "default=0.03"))
    changed = make_experiment(f"{file}:calm_momentum")
    assert changed.identity != before
    assert changed.human_parameters(changed.initial_parameters())["ceiling"][0] == pytest.approx(0.03)


def test_a_high_ceiling_is_plain_momentum(file: Path) -> None:
    prices = make_prices()
    values = []
    for rule, own in (("momentum", {}), (f"{file}:calm_momentum", {"ceiling": 1e4})):
        experiment = make_experiment(rule)
        raw = experiment.initial_parameters({"memory_days": 5.0, "k_per_day": 1.0, **own})
        values.append(Evaluator(experiment, prices).evaluate(raw)["train"]["returns_over_hodl"])
    assert values[0] == pytest.approx(values[1], rel=1e-6)


def test_gradients_and_search_take_it(file: Path, tmp_path: Path) -> None:
    experiment = make_experiment(f"{file}:calm_momentum", search={"trials": 4, "n_startup_trials": 2, "jobs": 2})
    assert "log_ceiling" in experiment.trainable
    with CheckpointStore(tmp_path / "checkpoints.db") as store:
        run_sgd(experiment, make_prices(), store)
        trained = [row.params["log_ceiling"] for row in store.checkpoints() if row.parameter_set == 0]
        assert (np.asarray(trained[0]) != np.asarray(trained[-1])).all()
        run_search(experiment, make_prices(), store, storage=str(tmp_path / "study.log"))
        found = [row for row in store.checkpoints() if row.driver == "search"]
    assert len(found) == 4
    assert len({row.human["ceiling"] for row in found}) == 4


LEAKY = """
import jax.numpy as jnp
from quantsim.fee_rules import FeeRule
from quantsim.parameters import common
from quantsim.rules import Output, Rule

def ahead(params, observed, settings):
    change = jnp.diff(jnp.log(observed.prices), axis=0, append=jnp.log(observed.prices[-1:]))
    return change - change.mean(axis=1, keepdims=True)

def since_ever(params, observed, settings):
    average = jnp.cumsum(observed.prices, axis=0) / jnp.arange(1.0, observed.prices.shape[0] + 1)[:, None]
    return 0.1 * (observed.prices / average - 1.0)

def fees_of_movement(params, observed, settings):
    still = jnp.diff(observed.prices[:, 0], prepend=0.0) == 0.0
    return jnp.where(still, -0.01, 0.001)

def fees(params, observed, settings):
    return 0.01 * jnp.minimum(observed.prices[:, 0] / observed.prices[:, 0].max(), 1.0)

peek = Rule("peek", "looks ahead", (common.k_per_day,), Output.CHANGE, ahead)
elephant = Rule("elephant", "never forgets", (common.k_per_day,), Output.CHANGE, since_ever)
dear = FeeRule("dear", "knows the highest price", (), fees)
gift = FeeRule("gift", "pays for trade in a still market", (), fees_of_movement)
"""


@pytest.fixture
def leaky(tmp_path: Path) -> Path:
    path = tmp_path / "leaky.py"
    path.write_text(LEAKY)
    return path


def test_every_door_refuses_a_rule_that_looks_ahead(leaky: Path, tmp_path: Path) -> None:
    experiment, prices = make_experiment(f"{leaky}:peek"), make_prices()
    axes = [Axis("k_per_day", 1.0, 2.0, 2)]
    study = tmp_path / "study.log"
    with CheckpointStore(tmp_path / "checkpoints.db") as store:
        doors: dict[str, Callable[[], Any]] = {
            "evaluator": lambda: Evaluator(experiment, prices),
            "simulate": lambda: simulate(experiment, None, prices),
            "grid": lambda: evaluate_grid(experiment, axes, prices),
            "sgd": lambda: run_sgd(experiment, prices, store),
            "search": lambda: run_search(experiment, prices, store, storage=str(study)),
            "hybrid": lambda: run_hybrid(experiment, prices, store, storage=str(study)),
        }
        for door, open_it in doors.items():
            with pytest.raises(ConfigError) as caught:
                open_it()
            assert str(caught.value).startswith(f"pool.rule = '{leaky}:peek' looks ahead: "), door
        assert not store.find_runs()
    assert not study.exists()


@pytest.mark.parametrize(
    ("tables", "key", "name"),
    [
        ({"pool": {"ensemble": {"one": "momentum", "two": "{}:peek"}}}, "pool.ensemble.two", "peek"),
        (
            {
                "pool": {"rule": "balancer", "tokens": ["A", "fund"]},
                "subsidiaries": {"fund": {"tokens": ["A", "B"], "rule": "{}:peek"}},
            },
            "subsidiaries.fund.rule",
            "peek",
        ),
        ({"fees": {"rule": "{}:dear"}}, "fees.rule", "dear"),
    ],
    ids=["ensemble", "subsidiary", "fee rule"],
)
def test_so_is_one_beside_others(leaky: Path, tables: dict[str, Any], key: str, name: str) -> None:
    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {at: filled(part) for at, part in value.items()}
        return value.replace("{}", str(leaky)) if isinstance(value, str) else value

    experiment = make_experiment("momentum", **filled(tables))
    with pytest.raises(ConfigError) as caught:
        Evaluator(experiment, make_prices())
    assert str(caught.value).startswith(f"{key} = '{leaky}:{name}' looks ahead: ")


def test_a_failing_rule_is_an_error_with_its_line_and_a_remedy(tmp_path: Path) -> None:
    file = tmp_path / "broken.py"
    file.write_text(
        LEAKY.replace("    change = jnp", "    if observed.prices[0, 0] > 1: return None\n    change = jnp")
    )
    with pytest.raises(ConfigError) as caught:
        Evaluator(make_experiment(f"{file}:peek"), make_prices())
    assert str(caught.value).startswith(f"{file}, line 8: peek fails with TracerBoolConversionError: ")
    said = caught.value.__notes__[0]
    assert said.startswith(f"while checking pool.rule = '{file}:peek'; write it with jax.numpy")


def test_results_say_that_a_rule_remembers_too_much(leaky: Path) -> None:
    cautions = {}
    for rule in (f"{leaky}:elephant", f"{EXAMPLE}:calm_momentum"):
        cautions[rule] = Evaluator(make_experiment(rule), make_prices()).notes.get("cautions", [])
    told, silent = cautions.values()
    assert len(told) == 1
    assert "leaky.py:elephant' remembers more than update.max_memory_days = 20" in told[0]
    assert silent == []


def test_a_fee_below_zero_fails_and_is_not_simulated(leaky: Path) -> None:
    experiment, prices = make_experiment("momentum", fees={"rule": f"{leaky}:gift"}), make_prices()
    still = np.array(prices.prices)
    still[200:205] = still[200]  # a whole day, from one boundary to the next
    evaluator = Evaluator(experiment, Prices(prices.times, still, prices.tokens, prices.bar_minutes))
    values = evaluator.evaluate(experiment.initial_parameters(), ("returns",))
    assert np.isnan(values["train"]["returns"])


@pytest.mark.parametrize(("code", "cause"), [("1 / 0", ZeroDivisionError), ("sys.exit(3)", SystemExit)])
def test_the_exception_of_a_rule_is_the_cause_of_the_error(
    tmp_path: Path, code: str, cause: type[BaseException]
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "import dataclasses, sys\nfrom quantsim.rules.momentum import RULE\n"
        f"def outputs(params, observed, settings):\n    {code}\n"
        "mine = dataclasses.replace(RULE, name='mine', outputs=outputs)\n"
    )
    experiment = make_experiment(f"{path}:mine")
    with pytest.raises(ConfigError, match=f"line 4: mine fails with {cause.__name__}") as caught:
        Evaluator(experiment, make_prices()).evaluate(experiment.initial_parameters())
    assert isinstance(caught.value.__cause__, cause)
    path.write_text(f"import sys\n{code}\n")
    with pytest.raises(ConfigError, match=f"line 2 cannot be run: {cause.__name__}") as caught:
        make_experiment(f"{path}:mine")
    assert isinstance(caught.value.__cause__, cause)


def test_the_command_line_shows_one_message(leaky: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rule = ("--set", f"pool.rule={leaky}:peek", "--set", "parameters={}")
    found = CliRunner().invoke(app, ["simulate", *rule])
    assert found.exit_code == 2
    assert found.output.count("looks ahead") == 1
    assert found.output.startswith(f"Error: pool.rule = '{leaky}:peek' looks ahead")


def test_a_transform_of_a_rule_s_own_may_fail_and_refuse(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "import dataclasses\nfrom quantsim.rules.momentum import RULE\n"
        "from quantsim.parameters.spec import LOG2, ParameterSpec, Transform\n"
        "def raw(value, known, minutes):\n"
        "    if value[0] > 2:\n        raise ValueError('more than 2')\n"
        "    return value / known['nothing']\n"
        "own = ParameterSpec('raw_own', 'own', '', 'own', Transform(raw, raw), default=1.0, low=0.0, high=1.0)\n"
        "mine = dataclasses.replace(RULE, name='mine', parameters=(*RULE.parameters, own))\n"
    )
    with pytest.raises(ConfigError, match="line 7: mine fails with KeyError: 'nothing'"):
        make_experiment(f"{path}:mine")
    with pytest.raises(ConfigError, match="more than 2"):
        make_experiment(f"{path}:mine", parameters={"own": 3.0})
    own = {spec.human_name: spec for spec in get_rule(f"{path}:mine").parameters}
    assert own["k_per_day"] is common.k_per_day, "what is quantsim's stays what it is"


def test_so_does_a_backward_pass(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "import dataclasses, jax\nfrom quantsim.rules.momentum import RULE\n"
        "@jax.custom_vjp\ndef same(x):\n    return x\n"
        "def backward(known, cotangent):\n    raise RuntimeError('no way back')\n"
        "same.defvjp(lambda x: (x, None), backward)\n"
        "outputs = lambda *given: same(RULE.outputs(*given))\n"
        "mine = dataclasses.replace(RULE, name='mine', outputs=outputs)\n"
    )
    experiment = make_experiment(f"{path}:mine")
    evaluator, raw = Evaluator(experiment, make_prices()), experiment.initial_parameters()
    with pytest.raises(ConfigError, match="line 7 fails with RuntimeError: no way back"):
        evaluator.value_and_grad({name: value[None] for name, value in raw.items()}, [100], 40, "returns")
    with CheckpointStore(tmp_path / "c.db") as store, pytest.raises(ConfigError, match="line 7 fails with"):
        run_sgd(experiment, make_prices(), store)
