"""docs/parameters.md: its example runs, and its table agrees with the export."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

from quantsim.errors import ParameterError
from quantsim.parameters import Parameter, common, initial, onchain
from quantsim.parameters.initial import grid_sizes
from quantsim.parameters.onchain import on_chain
from quantsim.parameters.resolve import to_raw
from quantsim.parameters.spec import ParameterSpec

PAGE = Path(__file__).parents[2] / "docs" / "parameters.md"


def test_the_example_runs() -> None:
    assert doctest.testfile(str(PAGE), module_relative=False).failed == 0
    for module in (initial, onchain):
        assert doctest.testmod(module).failed == 0


def test_the_table_has_the_names_of_the_export() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| `(\w+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    told = {human: (raw, chain) for human, raw, chain in rows}
    memory = Parameter(common.memory_days, ("BTC",), 1440.0)
    for spec in vars(common).values():
        if not isinstance(spec, ParameterSpec) or spec.opt_in:
            continue
        parameters = tuple(dict.fromkeys((memory, Parameter(spec, ("BTC",), 1440.0))))
        found = on_chain(parameters, to_raw(parameters, {}))[-1]
        assert told[spec.human_name] == (spec.raw_name, found.name)


@pytest.mark.parametrize("n_sets", range(2, 90))
def test_the_page_lists_the_sizes_of_grids(n_sets: int) -> None:
    listed = re.search(r"For four values, ([\d, ]+)", PAGE.read_text(encoding="utf-8"))[1]
    if n_sets in {int(number) for number in listed.strip(", ").split(",")}:
        grid_sizes(n_sets - 1, 4)
    else:
        with pytest.raises(ParameterError):
            grid_sizes(n_sets - 1, 4)
