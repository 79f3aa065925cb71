"""What the benchmarks decide and compute, without timing anything."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
NAMES = sorted(path.stem for path in BENCHMARKS.glob("*.py"))


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as context:
        context.syspath_prepend(str(BENCHMARKS))
        yield


def module(name: str) -> Any:
    return importlib.import_module(name)


@pytest.mark.parametrize("name", NAMES)
def test_each_benchmark_can_be_imported(name: str):
    assert Path(module(name).__file__) == BENCHMARKS / f"{name}.py"


def test_every_row_of_the_table_names_work_that_exists():
    table, workloads = module("table"), module("workloads")
    for row in table.ROWS:
        for name in filter(None, (row.work, row.reference)):
            assert hasattr(workloads.Workloads, f"_{name.split()[0]}"), name


def walls(*seconds: float) -> list[Any]:
    return [module("timing").Timed(wall, 0.0) for wall in seconds]


def test_a_ratio_is_the_median_over_pairs():
    row = module("table").Row("work", "own", "× loop", 2.0, "loop")
    assert row.value({"own": walls(2.0, 9.0, 8.0), "loop": walls(1.0, 3.0, 2.0)}) == 3.0
    assert row.meets(2.0)
    assert not row.meets(2.1)


@pytest.mark.parametrize(
    ("unit", "value", "enough"),
    [("ms", 500.0, 400.0), ("s", 0.5, 0.4), ("a second", 2.0, 3.0), ("× one core", 2.0, 3.0)],
)
def test_values_have_the_unit_of_their_row(unit: str, value: float, enough: float):
    reference = "single" if unit == "× one core" else None
    samples = {"own": walls(0.1, 0.5, 0.7), "single": walls(0.2, 1.0, 1.4)}
    row = module("table").Row("work", "own", unit, value, reference)
    assert row.value(samples) == value
    assert row.meets(value)
    assert not module("table").Row("work", "own", unit, enough, reference).meets(value)


def test_slow_work_gets_fewer_samples_and_failures_do_not_stop_the_others(monkeypatch: pytest.MonkeyPatch):
    table, missing = module("table"), module("worker").Missing
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(table.time, "perf_counter", lambda: clock.now)

    def slow() -> Any:
        clock.now += 2.0
        return walls(2.0)[0]

    def absent() -> Any:
        raise missing("no such function")

    samples, failed = table.measured({"slow": slow, "absent": absent, "quick": lambda: walls(0.1)[0]}, 7, 5.0)
    assert [len(samples[name]) for name in ("slow", "absent", "quick")] == [4, 0, 7]
    assert failed == {"absent": "no such function"}
    rows = [table.Row("a", "absent", "ms"), table.Row("q", "quick", "ms", 200.0)]
    first, second = table.report(rows, samples, failed)
    assert (first["value"], first["error"]) == (None, "no such function")
    assert (second["value"], second["met"]) == (100.0, True)
    json.dumps([first, second])
    table.shown([first, second], "title")


def test_only_changes_beyond_noise_and_the_floor_are_marked():
    judged = module("compare").judged
    slower = [1.2, 1.1, 1.3, 1.08, 1.15, 1.2, 1.1]
    verdict = judged(slower, 0.05)
    assert (verdict.low, verdict.ratio, verdict.high, verdict.change) == (1.08, 1.15, 1.3, "slower")
    assert judged([1.0 / ratio for ratio in slower], 0.05).change == "faster"
    assert judged([*slower[:-1], 0.99], 0.05).change == ""  # one session of seven was not slower
    assert judged([1.0 + (ratio - 1.0) / 4.0 for ratio in slower], 0.05).change == ""  # less than the floor


def test_the_interval_of_a_median_covers_it_as_often_as_it_says():
    judged, generator = module("compare").judged, np.random.default_rng(0)
    found = [judged(np.exp(generator.standard_t(2, 7)), 0.0).change for _ in range(400)]
    assert 0 < found.count("slower") / 400 < 0.03


def test_pairs_of_a_session_begin_with_either_tree_and_work_that_one_lacks_is_left_out():
    compare, missing, order = module("compare"), module("worker").Missing, []

    class Fake:
        def __init__(self, name: str, seconds: float) -> None:
            self.name, self.time = name, seconds

        def seconds(self, work: str) -> Any:
            if work == "new" and self.name == "base":
                raise missing("no such work")
            order.append(self.name)
            return walls(self.time)[0]

    found = compare.session(["old", "new"], Fake("base", 1.0), Fake("this", 2.0), 4, 60.0)
    assert found == {"old": [2.0] * 4, "new": []}
    assert order == ["base", "this", "this", "base"] * 2


def test_the_work_to_compare_includes_the_plain_loop():
    work = module("compare").work_of(["forward 2"])
    assert list(work.values()) == ["loop months 2", "forward 2"]


def test_prices_of_the_benchmarks_have_every_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    inputs = module("inputs")
    monkeypatch.setattr(inputs, "LAST_DAY", inputs.FIRST_DAY + np.timedelta64(2, "D"))
    given, into = tmp_path / "given", tmp_path / "into"
    given.mkdir()
    into.mkdir()
    inputs.price_folder(None, given)
    for token in inputs.TOKENS[1:]:
        (given / f"{token}.parquet").unlink()
    inputs.price_folder(given, into)
    from quantsim import load_prices

    prices = load_prices(inputs.TOKENS, str(into))
    assert prices.prices.shape == (2 * 1440, 5)
    assert (into / "BTC.parquet").is_symlink()


def test_the_plain_loop_is_the_product_with_fees(tmp_path: Path):
    """The reference of all ratios does the same work: its path is that of the simulator."""
    inputs, loop = module("inputs"), module("compiled_loop")
    from quantsim import Experiment, simulate

    prices = inputs.synthetic_prices(10 * 1440, 3)
    study = Experiment.from_dict(
        {
            "data": {"tokens": list(prices.tokens)},
            "periods": {"train_start": "2020-01-06", "train_end": "2020-01-11"},
            "pool": {"rule": "momentum"},
            "fees": {"swap_fee": inputs.FEE},
            "parameters": {"memory_days": 1.0, "k_per_day": 20.0},
        }
    )
    run = simulate(study, prices=prices)
    found = loop.fee_recursion(np.log(run.prices), run.weights, inputs.FEE)
    reserves = np.exp(found.call())
    np.testing.assert_allclose(reserves / reserves[0], run.reserves / run.reserves[0], rtol=1e-9)
    assert 0.0 < found.traded < 1.0


def test_growth_is_the_slope_of_the_logarithms():
    slope = module("scaling").slope
    numbers = [1.0, 4.0, 16.0, 64.0]
    assert slope(numbers, [3.0 * number**1.5 for number in numbers]) == pytest.approx(1.5)
    assert slope(numbers, [7.0] * 4) == pytest.approx(0.0)
    assert np.isnan(slope(numbers, [1.0, 2.0, 0.0, 4.0]))


def test_growth_is_measured_along_each_number_alone():
    scaling = module("scaling")
    every = [scaling.asdict(point) for point in scaling.points()]
    for axis, numbers in scaling.AXES.items():
        for fees in (True, False):
            assert [row[axis] for row in scaling.along(every, axis, fees)] == list(numbers)
    assert scaling.LARGEST in scaling.points()


def test_the_driver_bounds_the_trials_a_second():
    rate = module("cluster").trials_a_second
    assert rate(0.01, 0.1, 1, 8) == pytest.approx(1.0 / 0.11)
    assert (
        rate(0.01, 0.1, 8, 8) == rate(0.01, 0.1, 100, 8) == pytest.approx(8.0 / 0.18)
    )  # the others have nothing to do
    assert rate(0.01, 0.1, 100, 10_000) < 1.0 / 0.01


def test_slow_calls_are_repeated_less(monkeypatch: pytest.MonkeyPatch):
    timing, calls = module("timing"), iter(walls(9.0, 2.0, 1.0, 3.0, 4.0, 5.0))  # the first one compiles
    monkeypatch.setattr(timing, "timed", lambda call: next(calls))
    assert timing.median_ms(lambda: None, 5, 5.0) == 2000.0
    assert next(calls).wall == 4.0


def test_every_float32_case_of_an_accelerator_follows_that_in_float64():
    cases = module("gpu").cases()
    assert len(cases) == len(set(cases)) == 16
    for first, second in zip(cases[::2], cases[1::2], strict=True):
        assert (first.dtype, second.dtype) == ("float64", "float32")
        assert (first.fees, first.n_tokens, first.n_sets) == (second.fees, second.n_tokens, second.n_sets)
