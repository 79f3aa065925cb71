"""Checks of the names, descriptions and parameters of rules, fee rules, metrics and pools."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from quantsim.parameters import Parameter, to_human, to_raw
from quantsim.parameters.common import initial_weights
from quantsim.testing.laws import law, require

__all__ = ["check_description", "check_parameters"]


def check_description(called: str, **texts: str) -> None:
    """Checks that each text is one line."""
    for key, text in texts.items():
        require(
            bool(text) and text == text.strip() and "\n" not in text,
            "description",
            f"the {key} of {called} is {text!r}, and must be one line of text without spaces around it",
        )


def check_parameters(called: str, parameters: Sequence[Parameter]) -> None:
    """Checks that names are unique, and that each range is valid and its transform invertible."""
    names = {initial_weights.raw_name, initial_weights.human_name}
    for parameter in parameters:
        spec, where = parameter.spec, f"{called}: parameter {parameter.human_name}"
        own = {spec.raw_name, spec.human_name}
        require(
            not own & names,
            "parameters",
            f"{called} has two parameters {min(own & names, default='')!r} (initial_weights is one of the weighted pool): name "
            "one differently",
        )
        names |= own
        require(
            spec.low <= spec.high and (spec.low > 0.0 or not spec.log),
            "parameters",
            f"{where} has the range {spec.low:g} to {spec.high:g}{' on a logarithmic scale' if spec.log else ''}: put low "
            "below high, and above 0 where log=True",
        )
        for value in {spec.low, spec.high, *(() if spec.default is None else (spec.default,))}:
            with law("parameters", where):
                raw = to_raw(parameters, {parameter.human_name: value})
                back = to_human(parameters, raw)[parameter.human_name]
            require(
                bool(np.allclose(back, value, rtol=1e-6, atol=1e-9 * max(abs(spec.low), abs(spec.high)))),
                "parameters",
                f"{where} = {value:g} comes back as {back.tolist()} from its raw form: to_raw and to_human of its transform "
                "must be inverse to each other",
            )
