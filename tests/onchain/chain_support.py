"""A small study that the contracts can run, with hourly bars and updates every twelve hours."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence

from quantsim import Experiment

STUDY = """
name = "pair"
[data]
tokens = ["ETH", "BTC"]
bar_minutes = 60
forward_fill_bars = 8
[periods]
train_start = 2018-04-01
train_end = 2018-05-16
test_end = 2018-06-01
[pool]
rule = "momentum"
[update]
chunk_minutes = 720
max_memory_days = 20.0
pre_exp_scaling = "off"
[fees]
swap_fee = 0.003
[parameters]
memory_days = 5.0
k_per_day = 20.0
"""


def study(*overrides: str, rule: str = "momentum", **parameters: float) -> Experiment:
    values = tomllib.loads(STUDY)
    values["pool"]["rule"] = rule
    values["parameters"] = {**values["parameters"], **parameters}
    if rule == "min_variance":
        del values["parameters"]["k_per_day"]
    return Experiment.from_dict(values).override(list(overrides))


def replayed(weights: object, tokens: Sequence[str] = ("ETH", "BTC")) -> Experiment:
    """The study with given weights, from a table."""
    values = tomllib.loads(STUDY)
    values["data"]["tokens"] = list(tokens)
    values["pool"]["rule"], values["parameters"], values["series"] = "given_weights", {}, {"weights": str(weights)}
    return Experiment.from_dict(values)
