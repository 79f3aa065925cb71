"""Search spaces: files, validation, names, and the way between trials and human-readable parameters."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest
from search_support import TOKENS, make_experiment

from quantsim import Experiment
from quantsim.config.locate import bundled_names, find_search_space, find_study
from quantsim.errors import ConfigError, ParameterError
from quantsim.search_space import load_search_space


def space_of(tmp_path: Path, text: str, **tables):
    path = tmp_path / "space.toml"
    path.write_text(text)
    return load_search_space(make_experiment(search={"space": str(path)}, **tables))


@pytest.mark.parametrize("rule", ["momentum", "anti_momentum"])
def test_bundled_space_has_one_range_per_token_in_the_users_order(rule):
    space = load_search_space(make_experiment(pool={"rule": rule}))
    names = [f"{name}[{token}]" for name in ("memory_days", "k_per_day") for token in TOKENS]
    assert list(space.distributions()) == names
    assert space.describe()["memory_days[ETH]"] == [1.0, 200.0, True]


def test_inactive_parameters_are_not_searched():
    on = load_search_space(make_experiment(update={"use_alt_lamb": True}))
    assert [dimension.name for dimension in on.dimensions] == ["memory_days", "alt_memory_days", "k_per_day"]


def test_keys_left_out_are_the_rules_and_parameters_left_out_are_not_searched(tmp_path):
    space = space_of(tmp_path, "[k_per_day]\nhigh = 10\nscalar = true\n")
    assert space.describe() == {"k_per_day": [0.1, 10.0, True]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[k_per_day]\nlow = 3.0\nhigh = 2.0", "low < high must hold, but got low = 3.0, high = 2.0"),
        ("[k_per_day]\nlow = 5000", "low < high must hold, but got low = 5000.0, high = 1000.0"),
        ("[k_per_day]\nlow = 0", "low > 0 must hold for log = true, but got low = 0.0"),
        ("[k_per_day]\nlow = -1.0\nlog = false", "must each be a positive number"),
        ("[memory_day]\nlow = 2.0", "unknown parameter 'memory_day' .* did you mean 'memory_days'"),
        ("[memory_days]\nlwo = 2.0", "unknown key 'lwo': did you mean 'low'"),
        ("[memory_days]\nlow = '2'", "low: .*number.*got '2'"),
        ("[memory_days]\nlow = inf", "low: .*finite"),
        ("[memory_days]\nlog = 1", "log: .*got 1"),
        ("memory_days = 3", "must be a table"),
        ("[initial_weights]\nlow = 0.1", "cannot be searched"),
        ("[logit_lamb]\nlow = 0.1", "'logit_lamb' .* raw form of memory_days: name that, with units = 'raw'"),
        ("[memory_days]\nhigh = 1e300", "high = 1e\\+300 is beyond what numbers can hold: .* from 1 to 200"),
        ("[memory_days]\nvalue = 1e300", "= 1e\\+300 is beyond what numbers can hold"),
        ("[memory_days]\nlow = 0.0\nhigh = 1e4\nunits = 'raw'", "high = inf must each be a positive number"),
        ("[memory_days\n", "is not TOML"),
        ("", "nothing to search"),
    ],
)
def test_invalid_files_are_refused(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        space_of(tmp_path, text)


@pytest.mark.parametrize("rule", ["balancer", "hodl"])
def test_rules_without_anything_to_search_say_so(rule):
    with pytest.raises(ConfigError, match=f"rule '{rule}' has nothing to search"):
        load_search_space(make_experiment(pool={"rule": rule}))


def test_draws_are_inside_the_ranges(tmp_path):
    space = space_of(tmp_path, "[k_per_day]\nscalar = true\n[memory_days]\nlow = 2\nhigh = 3\nlog = false\n")
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    params = space.to_params(study.ask(space.distributions()).params)
    assert isinstance(params["k_per_day"], float)
    assert all(2 <= value <= 3 for value in params["memory_days"])


def test_human_parameters_go_there_and_back(tmp_path):
    space = space_of(tmp_path, "[k_per_day]\nscalar = true\n[memory_days]\n")
    drawn = space.from_human({"initial_weights": [0.3, 0.7], "memory_days": [5, 6.5], "k_per_day": [2.0, 2.0]})
    assert drawn == {"memory_days[ETH]": 5.0, "memory_days[BTC]": 6.5, "k_per_day": 2.0}
    assert space.to_params(drawn) == {"memory_days": [5.0, 6.5], "k_per_day": 2.0}


def test_rounding_at_the_ends_of_a_range_is_forgiven(tmp_path):
    space = space_of(tmp_path, "[memory_days]\n")
    drawn = space.from_human({"memory_days": [200 * (1 + 1e-14), 1 - 1e-14]})
    assert drawn == {"memory_days[ETH]": 200.0, "memory_days[BTC]": 1.0}


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"memory_days": [5.0, 201.0], "k_per_day": 1}, r"memory_days\[BTC\] = 201 lies outside .*\[1, 200\]"),
        ({"memory_days": float("nan"), "k_per_day": 1}, r"memory_days\[ETH\] = nan lies outside"),
        ({"memory_days": 5.0}, "k_per_day is missing"),
        ({"memory_days": 5.0, "k_per_da": 1}, "unknown parameter 'k_per_da': did you mean 'k_per_day'"),
        ({"memory_days": [5.0, 6.0, 7.0], "k_per_day": 1}, "must be a number or 2 numbers"),
        ({"memory_days": 5.0, "k_per_day": [1, 2]}, "differs between tokens"),
    ],
)
def test_human_parameters_that_do_not_fit_are_refused(tmp_path, params, message):
    space = space_of(tmp_path, "[k_per_day]\nscalar = true\n[memory_days]\n")
    with pytest.raises(ParameterError, match=message):
        space.from_human(params)


def test_a_trial_of_another_search_is_refused():
    with pytest.raises(ParameterError, match=r"no parameter 'memory_days\[ETH\]'"):
        load_search_space(make_experiment()).to_params({"memory_days[LTC]": 1.0})


def test_files_are_found_by_name_and_by_path(tmp_path):
    assert "momentum" in bundled_names("search_spaces")
    assert find_search_space("momentum").name == "momentum.toml"
    path = tmp_path / "momentum.toml"
    path.touch()
    assert find_search_space(path) == path
    with pytest.raises(ConfigError, match=r"no search space 'momentun'.* did you mean 'momentum'"):
        find_search_space("momentun")
    with pytest.raises(ConfigError, match=r"no study 'nowhere/x.toml'"):
        find_study("nowhere/x.toml")


def test_the_space_of_a_type_of_pool_is_found_in_its_group():
    pool = {"type": "reclamm", "tokens": ["BTC", "ETH"]}
    study = Experiment.load("reclamm_fees")
    ranges = load_search_space(study).describe()
    assert ranges["price_ratio"] == [1.05, 8.0, True]
    assert set(ranges) == {"price_ratio", "centeredness_margin", "shift_exponent"}
    based = study.replace(parameters={"daily_price_shift_base": 0.99999})
    assert set(load_search_space(based).describe()) == {"price_ratio", "centeredness_margin", "daily_price_shift_base"}
    composite = Experiment.load("momentum_fees").replace(
        data={"tokens": ["BTC", "ETH", "LTC"]}, pool={"tokens": ["pair", "LTC"]}, subsidiaries={"pair": pool}
    )
    assert load_search_space(composite).describe()["pair.shift_exponent"] == [0.02, 1.0, True]


def test_ranges_that_contradict_each_other_are_refused_before_a_search():
    study = Experiment.load("eclp_fees")
    assert set(load_search_space(study).describe()) == {"alpha", "beta", "tan_phi", "lam"}
    assert set(load_search_space(study.replace(search={"ranges": {}})).describe()) == {"tan_phi", "lam"}
    wide = study.replace(search={"ranges": {"alpha": {"low": 0.01, "high": 0.1}, "beta": {"low": 0.05, "high": 0.2}}})
    with pytest.raises(ConfigError, match=r"alpha = 0[.]1 and beta = 0[.]05 could be drawn together.*do not overlap"):
        load_search_space(wide)


def test_steps_choices_and_fixed_values(tmp_path):
    text = "[memory_days]\nlow = 2\nhigh = 9\nstep = 3\nscalar = true\n[k_per_day]\nchoices = [1.0, 8.0]\n"
    space = space_of(tmp_path, text)
    assert space.describe() == {
        "memory_days": [2.0, 8.0, False, 3.0],
        "k_per_day[ETH]": ["choices", 1.0, 8.0],
        "k_per_day[BTC]": ["choices", 1.0, 8.0],
    }
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    for _ in range(12):
        params = space.to_params(study.ask(space.distributions()).params)
        assert params["memory_days"] in (2.0, 5.0, 8.0)
        assert set(params["k_per_day"]) <= {1.0, 8.0}
    given = {"memory_days": 4.4, "k_per_day": [2.0, 300.0]}
    assert space.from_human(given, clip=True) == {"memory_days": 5.0, "k_per_day[ETH]": 1.0, "k_per_day[BTC]": 8.0}
    with pytest.raises(ParameterError, match=r"k_per_day\[ETH\] = 2 is none of the choices"):
        space.from_human(given)


@pytest.mark.parametrize(
    ("table", "ends"),
    [
        ("low = 0.3\nhigh = 0.9\nstep = 0.1", (0.3, 0.9)),  # in floats, 0.3 + 6 * 0.1 is above 0.9
        ('low = 0.0\nhigh = 3.3\nstep = 2.0\nunits = "raw"', (1.0, 9.0)),
        ("expand_around = 1.5\nstep = 0.1\nlog = false", (2.8333333333333, 5.8333333333333)),
    ],
)
def test_optuna_takes_stepped_ranges_as_they_are(tmp_path, table, ends):
    space = space_of(tmp_path, f"[k_per_day]\n{table}\n", parameters={"k_per_day": 13 / 3})
    draw = space.draws[0]
    drawn = draw.distribution()  # with a warning, an error here, where it would leave the last step out
    assert (draw.low, draw.high) == (drawn.low, drawn.high) == pytest.approx(ends, abs=1e-12)


def test_choices_in_raw_units(tmp_path):
    space = space_of(tmp_path, '[k_per_day]\nchoices = [-1, 5]\nunits = "raw"\n', parameters={"k_per_day": 1.0})
    assert space.describe()["k_per_day[BTC]"] == ["choices", 0.5, 32.0]
    own = {"memory_days": [10.0, 20.0], "alt_memory_days": 10.0}  # the raw one is an offset from the other memory
    text = '[alt_memory_days]\nchoices = [-1, 1]\nunits = "raw"\n'
    on = {"use_alt_lamb": True}
    eth, btc = (draw.choices for draw in space_of(tmp_path, text, parameters=own, update=on).draws)
    assert eth[0] < 10 < eth[1] < btc[1]
    with pytest.raises(ConfigError, match="other values for each of ETH, BTC"):
        space_of(tmp_path, text + "scalar = true", parameters=own, update=on)


@pytest.mark.parametrize(
    ("fixed", "message"),
    [
        ({"k_per_day": -1}, r"search.fixed: k_per_day = -1.0 must be a positive number"),
        ({"initial_weights": [0.3, 0.3]}, r"search.fixed: initial_weights = .* they sum to 0.6, but weights must sum"),
    ],
)
def test_values_that_cannot_be_fixed_are_refused_before_anything_runs(fixed, message):
    with pytest.raises(ConfigError, match=message):
        load_search_space(make_experiment(search={"fixed": fixed}))


def test_fixed_parameters_are_not_drawn_and_reach_the_simulator(tmp_path):
    by_file = space_of(tmp_path, "[memory_days]\nvalue = [3.0, 4.0]\n[k_per_day]\n")
    by_study = load_search_space(make_experiment(search={"fixed": {"memory_days": [3.0, 4.0]}}))
    for space in (by_file, by_study):
        assert [dimension.name for dimension in space.dimensions] == ["k_per_day"]
        assert space.to_params({"k_per_day[ETH]": 1.0, "k_per_day[BTC]": 2.0})["memory_days"] == [3.0, 4.0]
        assert space.describe()["memory_days"] == ["fixed", [3.0, 4.0]]
    with pytest.raises(
        ConfigError, match=r"search.fixed: unknown parameter 'memory_day' .* did you mean 'memory_days'"
    ):
        load_search_space(make_experiment(search={"fixed": {"memory_day": 3.0}}))


def test_ranges_in_the_study_stand_for_those_of_the_space(tmp_path):
    inline = {"memory_days": {"low": 5.0, "scalar": True}}
    own = load_search_space(make_experiment(search={"ranges": inline}))
    assert own.describe() | {"k_per_day[BTC]": 0, "k_per_day[ETH]": 0} == {
        "memory_days": [5.0, 200.0, True], "k_per_day[BTC]": 0, "k_per_day[ETH]": 0,
    }  # fmt: skip
    text = "[memory_days]\nhigh = 20.0\n[k_per_day]\nscalar = true\n"
    both = space_of(tmp_path, text).describe()
    assert set(both) == {"memory_days[BTC]", "memory_days[ETH]", "k_per_day"}
    path = tmp_path / "space.toml"
    study = make_experiment(search={"space": str(path), "ranges": inline})
    assert load_search_space(study).describe() == {"memory_days": [5.0, 200.0, True], "k_per_day": both["k_per_day"]}
    again = study.override(["search.ranges.memory_days.high=50.0"])
    assert load_search_space(again).describe()["memory_days"] == [5.0, 50.0, True]
    grouped = make_experiment(
        pool={"rule": None, "ensemble": {"fast": "momentum", "slow": "momentum"}},
        search={"ranges": {"fast": {"k_per_day": {"value": 2.0}}}},
    )
    assert load_search_space(grouped).fixed == {"fast.k_per_day": 2.0}
    with pytest.raises(
        ConfigError, match=r"search\.ranges: unknown parameter 'memory_day'.*did you mean 'memory_days'"
    ):
        load_search_space(make_experiment(search={"ranges": {"memory_day": {"low": 1.0}}}))
    with pytest.raises(ConfigError, match=r"search\.ranges\.memory_days\.low: .*number"):
        make_experiment(search={"ranges": {"memory_days": {"low": "1"}}})


def test_ranges_around_the_studys_own_values(tmp_path):
    own = {"memory_days": [10.0, 150.0], "k_per_day": 4.0}
    text = "[memory_days]\nexpand_around = 2.0\n[k_per_day]\nexpand_around = 1.5\nlog = false\nscalar = true\n"
    found = space_of(tmp_path, text, parameters=own).describe()
    assert found["memory_days[ETH]"] == pytest.approx([5.0, 20.0, True])
    assert found["memory_days[BTC]"] == pytest.approx([75.0, 200.0, True])  # the rule's range ends there
    assert found["k_per_day"] == pytest.approx([2.5, 5.5, False])
    raw = space_of(tmp_path, '[k_per_day]\nexpand_around = 1.0\nunits = "raw"\nscalar = true\n', parameters=own)
    assert raw.describe()["k_per_day"] == pytest.approx([2.0, 8.0, True])  # one doubling to either side


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("low = 1.0\nchoices = [1.0, 2.0]", "low and choices contradict each other"),
        ("value = 2.0\nexpand_around = 2.0", "value and expand_around contradict each other"),
        ("choices = [2.0, 2.0]", "must be at least two different values"),
        ("choices = [1.0, 2.0, 2.0]", "must be at least two different values"),
        ('choices = [1.0, 2e4]\nunits = "raw"', "must each be a positive number"),
        ("low = 1.0\nhigh = 2.0\nstep = 1e-300", "step = 1e-300 is lost beside 2"),
        ("choices = [1.0, -2.0]", "must each be a positive number"),
        ("choices = [1.0, 2.0]\nlog = true", "log is for ranges"),
        ("step = 1.0\nlog = true", "needs log = false"),
        ("low = 1.0\nhigh = 2.0\nstep = 3.0", "step = 3 leaves one value between 1 and 2"),
        ("expand_around = 0.5", "is a factor where log = true, and must be above 1"),
        ("value = [1.0, 2.0, 3.0]", "one number, or one for each of ETH, BTC"),
        ('units = "raw"\nlow = 1.0', "units = 'raw' needs low and high"),
        ('units = "log"', "units"),
    ],
)
def test_tables_that_contradict_themselves_are_refused(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        space_of(tmp_path, f"[k_per_day]\n{text}")
