"""Each key declares what it decides, and identities depend on it."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator, Mapping
from typing import Any

from quantsim import Experiment
from quantsim.config.identity import GRADIENTS, HYBRID, SEARCH, Decides, content, decided, differences, digest, part_of
from quantsim.settings.base import Section

STUDY = Experiment.from_dict(
    {
        "data": {"tokens": ["BTC", "ETH"]},
        "periods": {"train_start": "2018-01-01", "train_end": "2018-06-01"},
        "pool": {"rule": "momentum", "tokens": ["BTC", "pair"]},
        "subsidiaries": {"pair": {"tokens": ["BTC", "ETH"], "rule": "momentum", "update": {}}},
    }
)
CONFIG: dict[str, Any] = STUDY.model_dump(mode="json")
PURPOSES = {"value": Decides.VALUE, "trials": SEARCH, "steps": GRADIENTS, "rounds": HYBRID}

Path = tuple[str, ...]


def keys_of(section: type[Section], above: Path = ()) -> Iterator[tuple[Path, Decides, bool]]:
    """Every key of a section and of those in it, what it decides, and whether it has a default; "pair" names a subsidiary."""
    for key, field in section.model_fields.items():
        if (part := part_of(section, key)) is None:
            yield (*above, key), decided(section, key), not field.is_required()
        else:
            yield from keys_of(part[0], (*above, key, "pair") if part[1] else (*above, key))


KEYS = {path: (decides, has_default) for path, decides, has_default in keys_of(Experiment)}
WORTH = {"data", "periods", "pool", "subsidiaries", "update", "fees", "series"}


def changed(path: Path, value: Any) -> dict[str, Any]:
    """The configuration with a key at that value; without it where that is ``...``."""
    config = copy.deepcopy(CONFIG)
    table = config
    for name in path[:-1]:
        if table[name] is None:  # a table that is missing by default
            if value is ...:
                return config
            table[name] = {}
        table = table[name]
    if value is ...:
        del table[path[-1]]
    else:
        table[path[-1]] = value
    return config


def identity(config: Mapping[str, Any], purpose: Decides = ~Decides.NOTHING) -> str:
    return digest(content(Experiment, config, purpose, {}, changed=True))


def whom(config: Mapping[str, Any]) -> set[str]:
    """The purposes for which a configuration is another than the study, by identity and by comparison."""
    by_identity = {name for name, purpose in PURPOSES.items() if identity(config, purpose) != identity(CONFIG, purpose)}
    differ = {
        name for name, purpose in PURPOSES.items() if content(Experiment, config, purpose, {}) != STUDY.content(purpose)
    }
    assert by_identity == differ
    return by_identity


def test_every_key_declares_what_it_decides() -> None:
    assert len(KEYS) > 100
    nothing = {".".join(path) for path, (decides, _) in KEYS.items() if decides is Decides.NOTHING}
    search = "trials jobs max_minutes space ranges patience min_gain"
    assert nothing == {
        *("name", "description", "driver", "data.source", "data.sha256"),
        *(f"search.{key}" for key in search.split()),
        *(f"hybrid.{key}" for key in ("rounds", "min_gain", "max_evaluations", "max_minutes")),
    }
    assert {path[0] for path, (decides, _) in KEYS.items() if decides & Decides.VALUE} == WORTH
    assert {decides for path, (decides, _) in KEYS.items() if path[0] in WORTH} == {Decides.VALUE, Decides.NOTHING}


def test_a_key_decides_only_what_it_declares() -> None:
    found = {path: whom(changed(path, "another")) for path in KEYS}
    assert found == {
        path: {name for name in PURPOSES if decides & PURPOSES[name]} for path, (decides, _) in KEYS.items()
    }


def test_the_keys_of_a_driver_change_only_its_own_identity() -> None:
    of = {
        table: set().union(*(whom(changed(path, "another")) for path in KEYS if path[0] == table))
        for table in ("sgd", "search", "hybrid")
    }
    assert of == {"sgd": {"steps", "rounds"}, "search": {"trials", "rounds"}, "hybrid": {"rounds"}}
    assert whom(changed(("search", "trials"), 5)) == set()


def test_a_key_at_its_default_changes_nothing() -> None:
    """So one that a later version adds changes nothing: a study that was stored before lacks it."""
    given = {("pool", "rule"), ("pool", "tokens"), ("subsidiaries", "pair", "rule")}
    at_default = {path for path, (_, has_default) in KEYS.items() if has_default} - given
    assert {path: whom(changed(path, ...)) for path in at_default} == {path: set() for path in at_default}


def test_a_table_that_is_missing_is_at_its_defaults() -> None:
    for table in ("update", "fees", "series", "objective", "sgd", "hybrid", "search", "parameters"):
        assert whom(changed((table,), ...)) == set()
    assert whom(changed(("subsidiaries", "pair", "update"), ...)) == set(PURPOSES)  # that of the pool, whatever it says


def test_a_key_of_another_version_counts_like_its_table() -> None:
    assert whom(changed(("fees", "of_another_version"), 1)) == set(PURPOSES)
    assert whom(changed(("sgd", "of_another_version"), 1)) == {"steps", "rounds"}
    (told,) = differences(STUDY.content(SEARCH), content(Experiment, changed(("search", "new"), 1), SEARCH, {}))
    assert told == "search.new: not set → 1"


def test_the_seed_counts_for_random_periods() -> None:
    drawn = STUDY.override(["objective.n_random_periods=2"])
    for purpose in (Decides.PERIODS, Decides.OBJECTIVE | Decides.PERIODS):
        assert STUDY.override(["seed=1"]).content(purpose) == STUDY.content(purpose)
        assert drawn.override(["seed=1"]).content(purpose) != drawn.content(purpose)
    assert drawn.override(["seed=1"]).content(Decides.VALUE) == drawn.content(Decides.VALUE)


def test_identities_do_not_change_between_versions() -> None:
    """Another number here means that runs of one study no longer have one identity in the store."""
    assert STUDY.identity.startswith("d056a93381705e3c")


def test_settings_of_other_pools_at_their_defaults_change_nothing() -> None:
    study = Experiment.load("momentum_fees")
    stored = study.model_dump(mode="json")
    older = {**stored, "pool": {**stored["pool"], "arb_quality": 1.0, "published_band_trades": False}}
    del older["pool"]["type"]
    assert Experiment.from_dict(older) == study
    for changed in (True, False):
        assert content(Experiment, older, Decides.VALUE, {}, changed=changed) == content(
            Experiment, stored, Decides.VALUE, {}, changed=changed
        )
    assert study.override(["pool.type=weighted"]).identity == study.identity


def test_the_type_of_a_pool_follows_from_its_rule() -> None:
    study = Experiment.load("momentum_fees").override(["parameters={}", "fees={}"])
    for rule, mechanism in {"momentum": "weighted", "cow": "batch", "hodl": "hold", "balancer": "weighted"}.items():
        assert study.override([f"pool.rule={rule}"]).pool.mechanism == mechanism
    batch = study.override(["pool.rule=balancer", "pool.type=batch", "pool.arb_quality=0.5"])
    assert batch.pool.mechanism == "batch"
    assert batch.identity != study.override(["pool.rule=cow", "pool.arb_quality=0.5"]).identity
    assert pickle.loads(pickle.dumps(batch)) == batch  # noqa: S301
