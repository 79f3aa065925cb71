"""Result files of the published implementation in the store: what becomes of what, and what is refused."""

from __future__ import annotations

import hashlib
import json
import math
import tracemalloc

import pytest
from published_support import FINGERPRINT, gradient_entry, parameters, result_file, search_entry, table

from quantsim.checkpoints import CheckpointStore, select
from quantsim.checkpoints.published import import_results, read_results
from quantsim.checkpoints.published.result_file import ResultFile
from quantsim.errors import CheckpointError, ConfigError, FingerprintWarning, QuantsimError, SelectionError


@pytest.fixture
def file(tmp_path):
    return tmp_path / "run_0123.json"


def rows_of(file, **options):
    ((_, rows),) = read_results(file, **options).runs
    return rows


def test_gradient_run_becomes_a_run(store, file):
    result_file(file, gradient_entry(0, [1.0, 2.0]), gradient_entry(10, [3.0, 0.0]))
    (run,) = import_results(file, store, source="prices")
    assert (run.driver, run.status, run.name) == ("imported", "finished", "momentum")
    assert run.notes["imported"] == {
        "file": "run_0123.json",
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "method": "gradient_descent",
        "part": 1,
        "parts": 1,
    }
    assert run.config["pool"]["rule"] == "momentum"
    assert run.config["data"]["tokens"] == ["BTC", "ETH"]
    assert run.config["data"]["source"].endswith("prices")
    rows = store.checkpoints(run_id=run.run_id)
    assert [(row.step, row.parameter_set, row.objective) for row in rows] == [
        (0, 0, 10.0),
        (0, 1, 20.0),
        (10, 0, 30.0),
        (10, 1, 0.0),
    ]
    assert rows[1].raw["log_k"] == (1.0, 1.5)
    assert rows[1].human["memory_days"][0] > 0.0
    assert rows[1].metrics == {
        # There, "sharpe" in such a table is of daily values, and "jax_sharpe" of bars.
        split: {"returns_over_uniform_hodl": x, "returns": x + 1, "daily_sharpe": x + 2, "sharpe": x + 3}
        for split, x in (("train", 2.0), ("validation", -2.0), ("test", 4.0))
    }
    assert {row.driver for row in rows} == {"imported"}


def test_search_becomes_a_run_and_its_test_objective_is_of_validation_data(store, file):
    result_file(file, search_entry(0, 1.0), search_entry(1, 3.0), search_entry(2, 2.0))
    (run,) = import_results(file, store)
    rows = store.checkpoints(run_id=run.run_id)
    assert rows[1].raw == {
        "initial_weights_logits": (0.0, 0.0),  # it starts from equal weights, and does not store them
        "logit_lamb": (0.5, 0.25),
        "logit_delta_lamb": rows[1].raw["logit_delta_lamb"],
        "log_k": (1.0, 2.0),
    }
    assert rows[1].metrics["train"] == {
        "objective": 3.0,
        "daily_log_sharpe": 3.0,
        "returns": 0.1,
        "sharpe": 0.2,
        "returns_over_hodl": 0.3,
    }
    assert rows[1].metrics["validation"] | {"objective": -3.0, "sharpe": 0.5} == rows[1].metrics["validation"]
    assert "test" not in rows[1].metrics
    assert select(rows, "best_train_objective").checkpoint.step == 1
    assert select(rows, "best_objective").checkpoint.step == 1
    assert select(rows, "best_test_objective").checkpoint.step == 0
    assert select(rows, "best_test_min_train_objective", minimum=1.5).checkpoint.step == 2
    with pytest.raises(SelectionError, match="no row has validation objective >= 0"):
        select(rows, "best_train_min_test_objective")


def test_search_without_validation_data_has_test_metrics(file):
    result_file(file, search_entry(0, 1.0), optimisation_settings={})
    (row,) = rows_of(file)
    assert set(row.metrics) == {"train", "test"}
    assert row.metrics["test"] | {"objective": -1.0, "returns": 0.4} == row.metrics["test"]


def test_newer_search_has_tables_of_metrics(file):
    tables = {"train_objective": [table(1.0)], "test_objective": [table(5.0)], "continuous_test_metrics": [table(5.0)]}
    result_file(file, search_entry(0, 1.0, **tables))
    (row,) = rows_of(file)
    assert row.metrics["train"]["returns_over_uniform_hodl"] == 1.0
    assert row.metrics["train"]["returns"] == 2.0  # that of the table, not "train_return"
    assert row.metrics["validation"] == {"returns": 0.4, "sharpe": 0.5, "returns_over_hodl": 0.6}
    assert row.metrics["test"]["daily_sharpe"] == 7.0


def test_old_gradient_run_has_a_number_for_each_set(file):
    numbers = {"train_objective": [1.0, 2.0], "test_objective": [4.0, 3.0]}
    entry = gradient_entry(0, [0.0, 0.0], **numbers)
    del entry["continuous_test_metrics"], entry["validation_metrics"]
    rows = rows_of(result_file(file, entry, return_val="sharpe"))
    assert rows[1].metrics == {
        "train": {"objective": 2.0, "sharpe": 2.0},
        "test": {"objective": 3.0, "sharpe": 3.0},
    }
    assert select(rows, "best_train_objective").checkpoint.parameter_set == 1
    assert select(rows, "best_test_objective").checkpoint.parameter_set == 0


def test_test_metrics_are_those_that_run_on_from_training_and_others_are_kept(file):
    continuous = {f"continuous_test_{name}": value for name, value in table(8.0).items()}
    entry = gradient_entry(0, [1.0], continuous_test_metrics=[continuous])
    (row,) = rows_of(result_file(file, entry))
    assert row.metrics["test"]["returns_over_uniform_hodl"] == 8.0
    assert row.metrics["test"]["test_objective_returns_over_uniform_hodl"] == 2.0
    same = rows_of(result_file(file, gradient_entry(0, [1.0])))[0]
    assert not [name for name in same.metrics["test"] if name.startswith("test_objective")]


def test_values_per_token_are_in_the_order_of_the_sorted_tokens(file):
    # Whatever order the study has, each value goes with its token.
    entry = search_entry(0, 1.0, log_k=[1.0, 2.0, 3.0], logit_lamb=[0.1, 0.2, 0.3])
    results = read_results(result_file(file, entry, tokens=["XRP", "BTC", "ETH"]))
    ((_, (row,)),) = results.runs
    labelled = dict(zip(results.experiment.tokens, row.raw["log_k"], strict=True))
    assert labelled == {"BTC": 1.0, "ETH": 2.0, "XRP": 3.0}


def test_parameters_that_a_rule_carries_without_using_them(file):
    with pytest.warns(FingerprintWarning, match="rule: min_variance looks ahead"):
        (row,) = rows_of(result_file(file, gradient_entry(0, [1.0]), rule="min_variance"))
    assert set(row.raw) == {"initial_weights_logits", "logit_lamb", "logit_delta_lamb"}


def test_one_value_applies_to_every_token(file):
    (row,) = rows_of(result_file(file, search_entry(0, 1.0, log_k=4.0)))
    assert row.raw["log_k"] == (4.0, 4.0)


def test_members_of_an_ensemble(file):
    members = [[[1.0, 2.0], [3.0, 4.0]]]
    values = dict.fromkeys(("log_k", "logit_lamb", "logit_delta_lamb"), members)
    entry = gradient_entry(0, [1.0], **values)
    (row,) = rows_of(result_file(file, entry, rule="ensemble__momentum", n_ensemble_members=2))
    assert (row.raw["member1.log_k"], row.raw["member2.log_k"]) == ((1.0, 2.0), (3.0, 4.0))
    assert row.raw["initial_weights_logits"] == (0.0, 0.5)
    result_file(file, gradient_entry(0, [1.0]), rule="ensemble__momentum", n_ensemble_members=2)
    with pytest.raises(CheckpointError, match=r"logit_lamb must have .* 2 members"):
        read_results(file)


def test_parameters_of_subsidiary_pools(file):
    part = {"tokens": ["XRP", "BTC"], "rule": "momentum"}
    own = {"log_k": [[1.0, 2.0, 3.0]], "logit_lamb": [[0.1, 0.2, 0.3]], "logit_delta_lamb": [[0.0, 0.0, 0.0]]}
    entry = gradient_entry(0, [1.0], **own, initial_weights_logits=[[4.0, 5.0, 6.0]])
    entry["subsidary_params"] = [parameters(1, log_k=[[7.0, 8.0]])]
    results = read_results(result_file(file, entry, tokens=["ETH", "BTC"], subsidary_pools=[part]))
    ((_, (row,)),) = results.runs
    (name,) = dict(results.experiment.subsidiaries)
    labels = {parameter.raw_name: parameter.labels for parameter in results.experiment.layout}

    def labelled(raw_name):
        return dict(zip(labels[raw_name], row.raw[raw_name], strict=True))

    # The tokens are sorted there, and the shares of other pools come after them.
    assert labelled("log_k") == {"BTC": 1.0, "ETH": 2.0, name: 3.0}
    assert labelled("initial_weights_logits") == {"BTC": 4.0, "ETH": 5.0, name: 6.0}
    assert labelled(f"{name}.log_k") == {"BTC": 7.0, "XRP": 8.0}
    entry["subsidary_params"] = []
    with pytest.raises(CheckpointError, match="a list of a table for each of 1 subsidiary pools, not 0"):
        read_results(result_file(file, entry, tokens=["ETH", "BTC"], subsidary_pools=[part]))


def test_sets_that_failed_are_kept_and_never_win(store, file):
    entry = gradient_entry(0, [math.nan, 1.0, math.inf])
    entry["log_k"] = [[0.0, 0.0], [0.0, 0.0], [math.nan, 0.0]]
    (run,) = import_results(result_file(file, entry), store)
    rows = store.checkpoints(run_id=run.run_id)
    assert math.isnan(rows[0].metrics["train"]["returns"])
    assert not rows[2].raw_is_finite
    assert rows[2].human == {}
    picked = select(rows, "best_train_objective")
    assert picked.checkpoint.parameter_set == 1
    assert "the metrics are those of the imported file" in picked.notes[-1]


def test_a_repeated_training_in_one_file_is_a_run_of_its_own(store, file):
    first, second = [gradient_entry(step, [1.0]) for step in (0, 10)], [gradient_entry(0, [5.0])]
    runs = import_results(result_file(file, *first, *second), store)
    assert [run.notes["imported"]["part"] for run in runs] == [1, 2]
    assert store.find_runs()[0] == runs[1]  # the later one is the newest
    assert [len(store.checkpoints(run_id=run.run_id)) for run in runs] == [2, 1]


def test_the_same_file_is_stored_once(store, file, tmp_path):
    result_file(file, gradient_entry(0, [1.0, 2.0]))
    first = import_results(file, store)
    copy = tmp_path / "copy.json"
    copy.write_bytes(file.read_bytes())
    assert import_results(copy, store) == first
    assert len(store.checkpoints()) == 2
    elsewhere = import_results(file, store, source="prices")
    assert elsewhere != first  # another study
    result_file(file, gradient_entry(0, [1.0, 2.0]), gradient_entry(1, [1.0, 2.0]))
    assert import_results(file, store) not in (first, elsewhere)
    assert len(store.find_runs()) == 3


def test_a_plain_list_is_read_too(file):
    file.write_text(json.dumps([FINGERPRINT, gradient_entry(0, [1.0, 2.0])]))
    assert len(rows_of(file)) == 2


def broken(entry, **values):
    return {key: value for key, value in (entry | values).items() if value != "absent"}


GRADIENT = gradient_entry(4, [1.0, 2.0])


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (broken(GRADIENT, step="absent"), "step is missing"),
        (broken(GRADIENT, step=-1), "step = -1 must be a whole number"),
        (broken(GRADIENT, step=1.5), r"step = 1\.5 must be a whole number"),
        (broken(GRADIENT, step=True), "step = True must be a whole number"),
        (broken(GRADIENT, step=math.nan), "step = nan must be a whole number"),
        (broken(GRADIENT, step=math.inf), "step = inf must be a whole number"),
        (broken(GRADIENT, step=2**70), "step of a checkpoint must be an integer"),
        (broken(GRADIENT, subsidary_params=7), "subsidary_params must be a list"),
        (broken(GRADIENT, objective="absent"), "objective is missing"),
        (broken(GRADIENT, objective=[]), "objective is empty"),
        (broken(GRADIENT, objective=[1.0]), "logit_weights|must be a list with one item for each of 1 parameter sets"),
        (broken(GRADIENT, objective=[1.0, "2"]), "objective must hold numbers, not '2'"),
        (broken(GRADIENT, objective=[1.0, None]), "objective must hold numbers, not None"),
        (broken(GRADIENT, log_k="absent"), "log_k is missing"),
        (broken(GRADIENT, log_k=[[1.0, 2.0]]), "log_k must be a list with one item for each of 2 .*, not a list of 1"),
        (
            broken(GRADIENT, log_k=[[1.0, 2.0], [1.0, 2.0, 3.0]]),
            "log_k has 3 values, but must have one for each of BTC, ETH",
        ),
        (broken(GRADIENT, log_k=[[1.0, 2.0], [1.0, []]]), r"log_k must hold numbers, not \[\]"),
        (broken(GRADIENT, log_k=[[1.0, 2.0], [1.0, True]]), "log_k must hold numbers, not True"),
        (broken(GRADIENT, log_k=[[1.0, 2.0], [1.0, 10**400]]), "log_k holds 10+, which is too large for a number"),
        (broken(GRADIENT, raw_min_budget=[1.0, 2.0]), "raw_min_budget is not a parameter of momentum here"),
        (
            broken(GRADIENT, subsidary_params=[parameters()]),
            "must be a list of a table for each of 0 subsidiary pools, not 1",
        ),
        (broken(GRADIENT, train_objective=[table(1.0)]), "train_objective must be a list with one item for each of 2"),
        (
            broken(GRADIENT, train_objective=[{"return": "high"}, {}]),
            "train_objective.return must hold numbers, not 'high'",
        ),
    ],
)
def test_an_entry_that_is_not_right_is_refused_by_its_number_and_key(store, file, entry, message):
    result_file(file, gradient_entry(3, [1.0, 2.0]), entry)
    with pytest.raises(
        CheckpointError, match=rf"run_0123\.json, entry 2 \(the configuration is entry 0\): .*({message})"
    ):
        import_results(file, store)
    assert store.find_runs() == []
    assert store.checkpoints() == []


def text_of(*entries):
    return json.dumps(json.dumps([FINGERPRINT, *entries]))


WHOLE = text_of(gradient_entry(0, [1.0, 2.0]), gradient_entry(1, [1.0, 2.0]))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "ends inside its list, after 0 entries"),
        (WHOLE[:-2] + '"', "ends inside its list, after 3 entries"),
        (WHOLE[:-1], "ends inside its list"),
        (WHOLE[:-200], "ends inside its list, after 2 entries: it is truncated, or is still being written"),
        (WHOLE[:40], "ends inside its list, after 0 entries"),
        (WHOLE[: WHOLE.index("\\") + 1], "ends inside its list, after 0 entries"),
        ("{}", "is not a result file: it does not hold a list"),
        ('"{}"', "is not a result file: it does not hold a list"),
        ('"[]"', "is empty: it does not have a configuration"),
        ('"[1, 2]"', "the configuration cannot be read: it must be a table, not int"),
        (json.dumps("[{}]"), "has the rule None"),
        (text_of(), "has a configuration but no results"),
        (WHOLE + "x", "text follows its string"),
        (json.dumps(json.loads(WHOLE) + "x"), "'x' follows the end of its list"),
        (json.dumps(json.loads(WHOLE)[:-1] + ",]"), "entry 3 .* cannot be read: there is none after the comma"),
        (
            json.dumps(json.loads(WHOLE)[:-1] + "{}]"),
            "entry 2 .* it must be followed by a comma or the end of the list, not '{'",
        ),
        (
            json.dumps(json.loads(WHOLE)[:-1] + ', {"step": x, "objective": 1}]'),
            "entry 3 .* Expecting value, before 'x, ",
        ),
        (json.dumps(json.loads(WHOLE)[:-1] + ', {"a": ' + "[" * 10**5 + "}]"), "entry 3 .* nested too deeply"),
        (
            json.dumps(json.loads(WHOLE)[:-1] + ', {"a": ' + "1" * 5000 + "}]"),
            "entry 3 .* 1{20}... is a number of 5000 digits",
        ),
        ('"[{\\x}]          "', "is not a JSON escape"),
        ('"[{\udcff}]"', "is not UTF-8"),
    ],
)
def test_a_file_that_is_broken_is_refused_with_the_place(store, file, text, message):
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(QuantsimError, match=rf"run_0123\.json.*{message}"):
        import_results(file, store)
    assert store.find_runs() == []


def test_a_file_that_is_not_there(store, file):
    with pytest.raises(CheckpointError, match=r"result file .*run_0123\.json cannot be read: No such file"):
        import_results(file, store)
    with pytest.raises(CheckpointError, match="cannot be read: Is a directory"):
        import_results(file.parent, store)


@pytest.mark.parametrize("rule", ["sinusoid", "reclamm_hypersurge", 7, None, ""])
def test_a_rule_that_is_not_here_is_refused_by_its_name(file, rule):
    result_file(file, gradient_entry(0, [1.0]), rule=rule)
    with pytest.raises(ConfigError, match=rf"run_0123\.json has the rule {rule!r}, which is not supported"):
        read_results(file)


@pytest.mark.parametrize("rule", ["trad_hodling_index_market_cap", "lvr__index_market_cap"])
def test_index_pools_are_imported_with_the_memory_that_their_weights_have(file, rule):
    entry = gradient_entry(0, [1.0, 2.0], logit_delta_lamb=[[0.5, 0.0], [1.0, -2.0]])
    del entry["log_k"]
    result_file(file, entry, rule=rule, cap_weights=0.6)
    with pytest.warns(FingerprintWarning, match=r"name a file of circulating supplies, series\.oracle"):
        results = read_results(file)
    assert results.experiment.pool.type == "rebalanced"
    ((_, rows),) = results.runs
    assert [row.raw["logit_lamb"] for row in rows] == [(0.5, 0.5), (2.0, -0.5)]
    assert all(row.human["cap"] == pytest.approx((0.6, 0.6)) for row in rows)
    result_file(file, {**entry, "logit_delta_lamb": [[0.5], [1.0]]}, rule=rule)
    with pytest.warns(FingerprintWarning), pytest.raises(CheckpointError, match="must have the shape of logit_lamb"):
        read_results(file)


def test_a_configuration_that_cannot_be_translated_names_the_file(file):
    result_file(file, gradient_entry(0, [1.0]), startDateString="yesterday")
    with pytest.raises(ConfigError, match=r"run_0123\.json, the configuration: .*startDateString = 'yesterday'"):
        read_results(file)


def test_nothing_is_stored_where_storing_fails(store, file, monkeypatch):
    result_file(file, *(gradient_entry(step, [1.0, 2.0]) for step in (0, 1, 0)))
    written = []

    def fail(connection, run_id, checkpoints):
        written.append(run_id)
        if len(written) == 2:
            raise CheckpointError("the disk is full")

    monkeypatch.setattr("quantsim.checkpoints.store.checkpoint_table.replace", fail)
    with pytest.raises(CheckpointError, match="disk is full"):
        import_results(file, store)
    assert (len(written), store.find_runs()) == (2, [])


@pytest.mark.parametrize("block", [1, 2, 3, 7, 64])
def test_a_file_reads_alike_in_blocks_of_any_size(file, monkeypatch, block):
    entries = [search_entry(0, math.inf, note='ü "\\ \U0001f600'), search_entry(1, -1e-300)]
    result_file(file, *entries)
    monkeypatch.setattr("quantsim.checkpoints.published.result_file._BLOCK_BYTES", block)
    read = ResultFile(file)
    assert list(read.entries())[1:] == entries
    assert read.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_large_file_is_not_in_memory_as_a_whole(file, monkeypatch):
    result_file(file, *(gradient_entry(step, [1.0] * 40) for step in range(300)))
    monkeypatch.setattr("quantsim.checkpoints.published.result_file._BLOCK_BYTES", 1 << 16)
    tracemalloc.start()
    n_entries = sum(1 for _ in ResultFile(file).entries())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert n_entries == 301
    assert peak < file.stat().st_size / 4


def test_a_run_can_be_opened_as_a_study_again(store, file):
    from quantsim.config import Experiment

    (run,) = import_results(result_file(file, gradient_entry(0, [1.0, 2.0])), store)
    experiment = Experiment.from_dict(run.config)
    assert experiment.identity == run.experiment_id
    row = store.checkpoints(run_id=run.run_id)[1]
    assert {name: tuple(values) for name, values in experiment.initial_parameters(row.raw).items()} == dict(row.raw)


def test_newest_store_is_readable_by_another_process(store, path, file):
    import_results(result_file(file, gradient_entry(0, [1.0])), store)
    with CheckpointStore(path) as other:
        assert other.checkpoints() == store.checkpoints()


def natural(n_sets, train, **values):
    """A step of a run of a pool whose parameters are stored in natural units."""
    names = ("initial_weights_logits", "logit_lamb", "logit_delta_lamb", "log_k")
    entry = {key: value for key, value in gradient_entry(0, train).items() if key not in names}
    return {**entry, **{name: [[one] for one in numbers] for name, numbers in values.items()}}


def test_reclamm_pools_are_imported_from_natural_units(store, file):
    pool = {"rule": "reclamm", "reclamm_use_shift_exponent": True, "reclamm_learn_fees": True, "fees": 0.003}
    values = {"price_ratio": [2.5, 0.9], "centeredness_margin": [0.3, 0.2], "shift_exponent": [0.4, 0.1]}
    result_file(file, natural(2, [1.0, 2.0], **values, fees=[0.002, 0.004]), **pool)
    (run,) = import_results(file, store)
    assert run.config["pool"]["type"] == "reclamm"
    good, outside = store.checkpoints(run_id=run.run_id)
    wanted = {"price_ratio": 2.5, "centeredness_margin": 0.3, "shift_exponent": 0.4, "swap_fee": 0.002}
    assert {name: pytest.approx(values[0]) for name, values in good.human.items()} == wanted
    assert outside.human == {}
    assert all(math.isnan(value) for values in outside.raw.values() for value in values)
    assert select([good, outside], "best_train_objective", "returns_over_uniform_hodl").checkpoint.key == good.key


def test_a_search_of_a_reclamm_pool_and_an_ellipse_are_imported(file):
    trial = search_entry(0, 1.0, price_ratio=3.0, centeredness_margin=[0.25], daily_price_shift_base=0.99999)
    trial = {key: value for key, value in trial.items() if key not in ("log_k", "logit_lamb")}
    result_file(file, trial, rule="reclamm")
    (row,) = rows_of(file)
    assert row.human["daily_price_shift_base"] == pytest.approx((0.99999,))
    ellipse = {"alpha": [0.01], "beta": [0.1], "phi": [0.04], "lam": [5.0]}
    result_file(file, natural(1, [1.0], **ellipse), rule="gyroscope", tokens=["ETH", "BTC"])
    with pytest.warns(FingerprintWarning, match="ellipse"):
        (row,) = rows_of(file)
    assert {name: values[0] for name, values in row.human.items()} == pytest.approx(
        {name: value for name, (value,) in ellipse.items()}
    )


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"centeredness_margin": [0.3], "daily_price_shift_base": [0.99999]}, "price_ratio is missing"),
        (
            {
                "price_ratio": [2.0],
                "centeredness_margin": [0.3],
                "daily_price_shift_base": [0.9],
                "arc_length_speed": [1.0],
            },
            "arc_length_speed is not a parameter of reclamm here",
        ),
        (
            {"price_ratio": [[2.0, 3.0]], "centeredness_margin": [0.3], "daily_price_shift_base": [0.9]},
            "must hold numbers",
        ),
    ],
)
def test_faulty_natural_parameters_are_named(file, values, said):
    result_file(file, natural(1, [1.0], **values), rule="reclamm")
    with pytest.raises(CheckpointError, match=said):
        read_results(file)
