from __future__ import annotations

import math
import pickle
import subprocess
import sys
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest

from quantsim.checkpoints import Checkpoint
from quantsim.checkpoints.redact import redact
from quantsim.errors import CheckpointError


def test_arrays_are_made_plain():
    made = Checkpoint(
        "r",
        np.int64(3),
        np.int32(1),
        "search",
        raw={"w": np.array([1.0, np.nan])},
        human={"d": [np.float32(0.5)]},
        metrics={"train": {"m": np.float64(2.0)}, "test": {}},
        objective=np.float64(1.5),
    )
    assert type(made.step) is int
    assert type(made.raw["w"]) is tuple
    assert all(type(value) is float for value in (*made.raw["w"], *made.human["d"], made.metrics["train"]["m"]))
    assert type(made.objective) is float
    assert "test" not in made.metrics
    assert not made.raw_is_finite
    assert made.params["w"].dtype == np.float64
    assert made.value("test", "m") is None


def test_giver_s_values_are_copied():
    raw = {"w": [1.0]}
    made = Checkpoint("r", 0, 0, "sgd", raw)
    raw["w"][0] = 2.0
    raw["v"] = [3.0]
    assert made.raw == {"w": (1.0,)}


def test_time_is_brought_to_utc():
    east = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    made = Checkpoint("r", 0, 0, "sgd", {}, created_at=east)
    assert made.created_at == east
    assert made.created_at.utcoffset() == timedelta(0)
    with pytest.raises(CheckpointError, match="time zone"):
        Checkpoint("r", 0, 0, "sgd", {}, created_at=datetime(2026, 1, 1))


def test_key_is_short_and_id_full():
    made = Checkpoint("0123456789abcdef" * 2, 12, 3, "sgd", {})
    assert made.key == "01234567:12:3"
    assert made.checkpoint_id == "0123456789abcdef0123456789abcdef:12:3"


def test_it_can_be_sent_to_another_process():
    made = Checkpoint("r", 0, 0, "sgd", {"w": (1.0,)}, metrics={"train": {"m": 1.0}})
    assert pickle.loads(pickle.dumps(made)) == made  # noqa: S301 - our own bytes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"driver": "SGD"}, "driver = 'SGD' must be"),
        ({"step": -1}, "step of a checkpoint"),
        ({"step": 2**63}, "step of a checkpoint"),
        ({"parameter_set": 0.5}, "parameter_set of a checkpoint"),
        ({"parameter_set": math.nan}, "parameter_set of a checkpoint"),
        ({"raw": {"w": 1.0}}, "raw parameter 'w'"),
        ({"raw": {"w": np.array(1.0)}}, "raw parameter 'w'"),
        ({"raw": {"w": np.ones((2, 1))}}, "raw parameter 'w'"),
        ({"human": {"w": "12"}}, "human parameter 'w'"),
        ({"metrics": {"trian": {"m": 1.0}}}, "did you mean 'train'"),
        ({"metrics": {"train": {"m": None}}}, "train metric 'm'"),
        ({"objective": "high"}, "objective"),
    ],
)
def test_wrong_values_are_named(change, message):
    values = {"run_id": "r", "step": 0, "parameter_set": 0, "driver": "sgd", "raw": {}}
    with pytest.raises(CheckpointError, match=message):
        Checkpoint(**(values | change))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://ann:pw@host/db", "postgresql://ann:***@host/db"),
        ("at mysql+pymysql://ann:p@w/d@host:33/db!", "at mysql+pymysql://ann:***@host:33/db!"),
        ("postgresql://:pw@host/db", "postgresql://:***@host/db"),
        ("postgresql:///db?user=a&password=pw&x=1", "postgresql:///db?user=a&password=***&x=1"),
        ("/home/ann/postgresql:/ann:pw@host/db", "/home/ann/postgresql:/ann:***@host/db"),
        ("postgresql://ann@host:5432/db", "postgresql://ann@host:5432/db"),
        ("https://host:8080/path", "https://host:8080/path"),
        ("results/a:b@c.db", "results/a:b@c.db"),
    ],
)
def test_passwords_are_redacted(text, shown):
    assert redact(text) == shown


def test_a_known_password_is_redacted_anywhere():
    assert redact("login p@w failed (p%40w)", "p@w") == "login *** failed (***)"


def test_selecting_does_not_load_sqlalchemy():
    code = "import sys, quantsim.checkpoints as c; c.select, c.Checkpoint; print('sqlalchemy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_public_names():
    import quantsim.checkpoints as package

    assert all(getattr(package, name) is not None for name in package.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = package.nothing
