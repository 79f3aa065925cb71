"""The speeds that matter, as a table and as JSON, each beside its target.

    python benchmarks/table.py [--prices FOLDER] [--json FILE] [--rows TEXT ...] [--samples 9] [--seconds 6]

Times are medians. Most are ratios over the same fee recursion as one plain compiled loop (``compiled_loop.py``, one thread),
or of one core over two; a ratio is the median over pairs that are timed one after the other. All rows take turns, so that they
meet the same load. Work runs on two cores; compilation is not counted, except in rows of whole processes, which start
with an empty cache.

``--prices`` is a folder of 1-minute closes of BTC, ETH and SUI from 2023-05-04 to 2024-09-01; missing tokens are synthetic.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table
from timing import Timed
from worker import Missing, Worker, price_files

Unit = Literal["× loop", "× one core", "a second", "ms", "s"]
Samples = Mapping[str, Sequence[Timed]]

N_CORES = 2
ONE_CORE = " on one core"
LEAST_SAMPLES = 3


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes:
        title: what is timed.
        work: its name in ``workloads.py``.
        unit: unit of the value. A smaller ratio over the loop is better, and a larger ratio over one core.
        target: value to reach; None for none.
        reference: work that a ratio is over; None where the value is no ratio.
    """

    title: str
    work: str
    unit: Unit
    target: float | None = None
    reference: str | None = None

    def value(self, samples: Samples) -> float:
        """Returns the value of the row, from the seconds of each piece of work."""
        own = [sample.wall for sample in samples[self.work]]
        if self.reference is None:
            median = statistics.median(own)
            return {"ms": 1e3 * median, "s": median}.get(self.unit, 1.0 / median)
        pairs = zip(own, samples[self.reference], strict=False)
        ratio = statistics.median(mine / other.wall for mine, other in pairs)
        return 1.0 / ratio if self.unit == "× one core" else ratio

    def meets(self, value: float) -> bool | None:
        """Whether a value reaches the target; None without one."""
        if self.target is None:
            return None
        return value >= self.target if self.unit in ("× one core", "a second") else value <= self.target


def over_loop(title: str, work: str, target: float, loop: str) -> Row:
    return Row(title, work, "× loop", target, f"loop {loop}")


def two_cores(title: str, work: str) -> Row:
    return Row(f"{title}: two cores against one", work, "× one core", 1.7, work + ONE_CORE)


ROWS = (
    over_loop("evaluate: three splits, all metrics, fees, 2 tokens", "evaluate 2", 2.0, "splits 2"),
    over_loop("the same, 3 tokens", "evaluate 3", 2.0, "splits 3"),
    over_loop("evaluate_many: 8 sets, a set", "evaluate_many 2", 1.0, "splits 2"),
    over_loop("fees, forward, 2 tokens", "forward 2", 1.3, "months 2"),
    over_loop("fees, forward, 5 tokens", "forward 5", 1.5, "months 5"),
    over_loop("fees, value and gradient, 2 tokens", "gradient 2", 4.0, "months 2"),
    over_loop("fees, value and gradient, 5 tokens", "gradient 5", 3.5, "months 5"),
    two_cores("evaluate_many, 8 sets", "evaluate_many 2"),
    two_cores("evaluate_grid, 16 cells", "grid"),
    two_cores("a batch of a search, 8 trials", "batch"),
    two_cores("sgd with fees, 4 sets", "lanes"),
    Row("search with study and store, one job: trials", "search 1", "a second", 60.0),
    Row("search with study and store, two jobs: trials", "search 2", "a second", 100.0),
    Row("training step, no fees, hourly chunks, 2 tokens", "step 2 60", "ms", 8.0),
    Row("training step, no fees, hourly chunks, 5 tokens", "step 5 60", "ms", 25.0),
    Row("training step, no fees, daily chunks, 2 tokens", "step 2 1440", "ms", 0.8),
    Row("training step, no fees, daily chunks, 5 tokens", "step 5 1440", "ms", 1.8),
    Row("value and gradient, no fees, 2 tokens, 1 set", "free_gradient 2 1", "ms"),
    Row("value and gradient, no fees, 2 tokens, 64 sets", "free_gradient 2 64", "ms"),
    Row("value and gradient, no fees, 5 tokens, 1 set", "free_gradient 5 1", "ms"),
    Row("value and gradient, no fees, 5 tokens, 64 sets", "free_gradient 5 64", "ms"),
    Row("quantsim optuna --trials 200, bundled, empty cache", "optuna_process", "s", 5.0),
    Row("quantsim sgd --steps 51, minutes, fees, empty cache", "sgd_process", "s", 5.0),
    Row("quantsim --help", "process --help", "s", 0.5),
    Row("quantsim select", "process select", "s", 0.5),
    Row("quantsim runs list", "process runs_list", "s", 0.5),
)


def chosen(texts: Iterable[str]) -> list[Row]:
    """The rows whose title or work contains one of some texts; all rows without texts."""
    wanted = list(texts)
    return [row for row in ROWS if not wanted or any(text in f"{row.title} {row.work}" for text in wanted)]


def measured(
    time_of: Mapping[str, Callable[[], Timed]], n_samples: int, seconds: float
) -> tuple[dict[str, list[Timed]], dict[str, str]]:
    """Times pieces of work in turns.

    Args:
        time_of: name → function that returns seconds.
        n_samples: samples of each.
        seconds: time for each, in which slow work gets fewer samples, but at least three.

    Returns:
        Name → seconds of each sample, and name → reason for work that failed.
    """
    samples: dict[str, list[Timed]] = {name: [] for name in time_of}
    spent, failed = dict.fromkeys(time_of, 0.0), {}
    for number in range(n_samples):
        for name, measure in time_of.items():
            if name in failed or (number >= LEAST_SAMPLES and spent[name] > seconds):
                continue
            begun = time.perf_counter()
            try:
                samples[name].append(measure())
            except Missing as error:
                failed[name] = str(error)
            spent[name] += time.perf_counter() - begun if number else 0.0  # the first call makes the work
    return samples, failed


def timers(rows: Iterable[Row], both: Worker, single: Worker) -> dict[str, Callable[[], Timed]]:
    """Name of the work → function that times it; work and its reference follow each other."""
    names = dict.fromkeys(name for row in rows for name in (row.work, row.reference) if name)
    return {
        name: functools.partial((single if name.endswith(ONE_CORE) else both).seconds, name.removesuffix(ONE_CORE))
        for name in names
    }


def report(rows: Iterable[Row], samples: Samples, failed: Mapping[str, str]) -> list[dict[str, Any]]:
    """Rows as JSON values."""
    found = []
    for row in rows:
        names = [name for name in (row.work, row.reference) if name]
        entry: dict[str, Any] = asdict(row) | {"value": None, "met": None}
        if reasons := [failed[name] for name in names if name in failed]:
            entry["error"] = reasons[0]
        else:
            value = row.value(samples)
            entry |= {"value": value, "met": row.meets(value)}
            for field in Timed._fields:
                entry[f"{field}_s"] = {name: [getattr(sample, field) for sample in samples[name]] for name in names}
        found.append(entry)
    return found


def shown(entries: Iterable[Mapping[str, Any]], title: str) -> Table:
    table = Table("work", "ms", "processor ms", "reference ms", "value", "unit", "target", "", title=title)
    for entry in entries:
        if entry["value"] is None:
            table.add_row(entry["title"], "–", "", "", "–", entry["unit"], "", entry["error"])
            continue
        own, *other = (1e3 * statistics.median(seconds) for seconds in entry["wall_s"].values())
        processor = 1e3 * statistics.median(entry["processor_s"][entry["work"]])
        bound = "≥" if entry["unit"] in ("× one core", "a second") else "≤"
        target = "" if entry["target"] is None else f"{bound} {entry['target']:g}"
        mark = {None: "", True: "met", False: "missed"}[entry["met"]]
        reference = f"{other[0]:.2f}" if other else ""
        table.add_row(
            entry["title"],
            f"{own:.2f}",
            f"{processor:.2f}",
            reference,
            f"{entry['value']:.3g}",
            entry["unit"],
            target,
            mark,
        )
    return table


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    import jax

    return {
        "python": platform.python_version(),
        "jax": jax.__version__,
        "system": platform.platform(),
        "processors": os.cpu_count(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prices", type=Path, help="folder of 1-minute closes, one file per token")
    parser.add_argument("--json", type=Path, metavar="FILE", help="writes the table, with all samples")
    parser.add_argument(
        "--rows", nargs="*", default=[], metavar="TEXT", help="only rows that contain one of these texts"
    )
    parser.add_argument("--samples", type=int, default=9, help="samples per row (default: 9)")
    parser.add_argument("--seconds", type=float, default=6.0, help="time per row after three samples (default: 6)")
    options = parser.parse_args()
    rows, before = chosen(options.rows), machine()
    with price_files(options.prices) as folder, Worker(folder, N_CORES) as both, Worker(folder, 1) as single:
        samples, failed = measured(timers(rows, both, single), options.samples, options.seconds)
    entries = report(rows, samples, failed)
    Console(width=140).print(shown(entries, f"load {before['load']:.1f} before, {machine()['load']:.1f} after"))
    if options.json:
        options.json.write_text(json.dumps({"machine": before, "rows": entries}, indent=1) + "\n")


if __name__ == "__main__":
    main()
