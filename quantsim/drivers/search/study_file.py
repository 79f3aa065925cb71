"""Experiments as study files (TOML), such as :meth:`Experiment.load` reads; here with the parameters of a trial."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from quantsim.checkpoints.redact import redact
from quantsim.config import Experiment
from quantsim.drivers.search.space import HumanParams
from quantsim.parameters import replaced

__all__ = ["study_text", "trial_experiment"]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def trial_experiment(experiment: Experiment, params: HumanParams, name: str, description: str = "") -> Experiment:
    """The experiment with what a trial drew as its own parameters; simulating it is simulating the trial.

    Args:
        experiment: what was searched.
        params: human-readable name → number or one per label, as :meth:`SearchSpace.to_params` gives them.
        name: of the new experiment.
        description: of the new experiment.
    """
    tables = experiment.model_dump(mode="json")
    parameters = replaced(experiment.layout, dict(experiment.parameters), params)
    values = {**tables, "name": name, "description": description, "parameters": parameters}
    return Experiment.from_dict(values, own_rules=experiment.own_rules)


def study_text(experiment: Experiment) -> str:
    """The experiment as TOML: what differs from the defaults, passwords redacted.

    Numbers have all their digits, so that reading it gives an experiment of the same identity.
    """
    return redact("\n".join(_lines(experiment.model_dump(mode="json", exclude_defaults=True)))) + "\n"


def _lines(table: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """The lines of a table: its own values, then the tables in it under their headings."""
    present = {name: value for name, value in table.items() if value not in (None, {})}  # TOML has no null
    for name, value in present.items():
        if not isinstance(value, Mapping):
            yield f"{_key(name)} = {_value(value)}"
    for name, value in present.items():
        if isinstance(value, Mapping):
            heading = f"{path}.{_key(name)}" if path else _key(name)
            yield from ("", f"[{heading}]", *_lines(value, heading))


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else _text(name)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(name)} = {_value(one)}" for name, one in value.items() if one is not None) + "}"
    return "[" + ", ".join(_value(one) for one in value) + "]"


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")  # JSON's escapes are TOML's, but for DEL
