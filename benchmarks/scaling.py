"""How time and memory grow with bars, tokens and parameter sets: forward and gradient, with fees and without.

    python benchmarks/scaling.py FILE [--only TEXT ...] [--plot docs/images/scaling.png]

Points are measured on synthetic minutes, forward and gradient each in a process of its own; the figures of a point are a line
of JSON in FILE. Points that FILE has are not measured again. From one point, each of the three numbers is varied alone. Time is
the least processor time of three calls after the first, of all threads together, which depends little on other load. Memory is
the peak of the resident set during the first call, above that before it; programs come from the cache of compiled programs, so
that the compiler's memory does not count. The peak of the whole process, with Python, JAX and the prices, stands beside it. The
slope is that of a straight line through the logarithms: 1 if time or memory is proportional, 0 if it does not grow.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from timing import timed

WARM_UP_DAYS = 30
MEGABYTE = 1e6


@dataclass(frozen=True)
class Point:
    """What a process measures.

    Attributes:
        days: length of the training period.
        n_tokens: number of tokens.
        n_sets: number of parameter sets.
        fees: whether there is a swap fee.
    """

    days: int = 91
    n_tokens: int = 2
    n_sets: int = 1
    fees: bool = True


AXES: Mapping[str, Sequence[int]] = {
    "days": (91, 273, 547, 1095),
    "n_tokens": (2, 3, 5, 8),
    "n_sets": (1, 8, 64, 256),
}
LABELS = {"days": "days of minutes", "n_tokens": "tokens", "n_sets": "parameter sets"}
LARGEST = Point(days=1095, n_tokens=8)
"""Three years, eight tokens, one set, with fees: its gradient must stay under 2 GB."""
KINDS = ("forward", "gradient")


def points() -> list[Point]:
    """All points, each once."""
    varied = [
        replace(Point(fees=fees), **{axis: number})
        for fees in (True, False)
        for axis, numbers in AXES.items()
        for number in numbers
    ]
    return list(dict.fromkeys([*varied, LARGEST]))


def slope(numbers: Sequence[float], figures: Sequence[float]) -> float:
    """Slope of the line of least squares through the logarithms; nan if a figure is not positive."""
    if min(figures) <= 0.0:
        return float("nan")
    return float(np.polyfit(np.log(numbers), np.log(figures), 1)[0])


class Memory:
    """The resident set of this process, on Linux."""

    @staticmethod
    def megabytes(name: str) -> float:
        """A line of ``/proc/self/status``: ``VmRSS`` now, ``VmHWM`` the peak."""
        lines = Path("/proc/self/status").read_text().splitlines()
        (kilobytes,) = (line.split()[1] for line in lines if line.startswith(f"{name}:"))
        return int(kilobytes) * 1024 / MEGABYTE

    @staticmethod
    def forget_peak() -> None:
        Path("/proc/self/clear_refs").write_text("5")


def calls_of(point: Point) -> dict[str, Callable[[], Any]]:
    """What is measured at a point: a metric of all sets, and its gradient."""
    from inputs import METRIC, spread_sets, synthetic_study

    from quantsim import Evaluator

    study, prices = synthetic_study(point.n_tokens, point.days, WARM_UP_DAYS, fees=point.fees)
    evaluator = Evaluator(study, prices)
    sets = spread_sets(study, point.n_sets)
    first, n_bars = evaluator.splits["train"]
    return {
        "forward": lambda: evaluator.evaluate_sets(sets, [METRIC], splits=["train"]),
        "gradient": lambda: evaluator.value_and_grad(sets, [first], n_bars, METRIC),
    }


def measure(point: Point, kind: str) -> dict[str, float]:
    """Measures one kind of call in this process."""
    call = calls_of(point)[kind]
    Memory.forget_peak()
    before = Memory.megabytes("VmRSS")
    call()
    peak = Memory.megabytes("VmHWM")
    times = [timed(call) for _ in range(3)]
    return {
        f"{kind}_ms": 1e3 * min(one.processor for one in times),
        f"{kind}_wall_ms": 1e3 * min(one.wall for one in times),
        f"{kind}_mb": peak - before,
        f"{kind}_process_mb": Memory.megabytes("VmHWM"),
    }


def measured(point: Point) -> dict[str, Any]:
    """Measures a point in new processes, the first of which compiles."""
    found: dict[str, Any] = asdict(point)
    for kind in ("compile", *KINDS):
        command = [sys.executable, __file__, "--point", json.dumps(asdict(point)), "--kind", kind]
        done = subprocess.run(command, capture_output=True, text=True)  # noqa: S603 - this file
        if done.returncode:
            raise RuntimeError(f"{point}: {done.stderr[-500:]}")
        found |= json.loads(done.stdout)
    return found


def along(rows: Iterable[Mapping[str, Any]], axis: str, fees: bool) -> list[Mapping[str, Any]]:
    """The rows in which only one number differs from the point that all lines share."""
    base = asdict(Point(fees=fees))
    mine = [row for row in rows if all(row[name] == value for name, value in base.items() if name != axis)]
    return sorted(mine, key=lambda row: int(row[axis]))


def slopes(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = Table("grows with", "fees", "what", "from", "to", "slope of time", "slope of memory")
    for axis, label in LABELS.items():
        for fees in (True, False):
            mine = along(rows, axis, fees)
            for kind in KINDS if len(mine) > 1 else ():
                numbers = [row[axis] for row in mine]
                ends = [f"{row[axis]}: {row[f'{kind}_ms']:.1f} ms, {row[f'{kind}_mb']:.0f} MB" for row in mine]
                of_time, of_memory = (slope(numbers, [row[f"{kind}_{unit}"] for row in mine]) for unit in ("ms", "mb"))
                table.add_row(
                    label, "yes" if fees else "no", kind, ends[0], ends[-1], f"{of_time:.2f}", f"{of_memory:.2f}"
                )
    return table


def plot(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Time (above) and memory (below, on a linear axis) against bars, tokens and sets."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 6.4), layout="constrained")
    axes = figure.subplots(2, len(AXES), sharex="col", sharey="row")
    for column, (axis, label) in enumerate(LABELS.items()):
        for fees in (True, False):
            mine = along(rows, axis, fees)
            numbers = [row[axis] for row in mine]
            for kind in KINDS if mine else ():
                style = {"marker": "o", "markersize": 3, "linestyle": "-" if kind == "gradient" else "--"}
                style |= {"color": "tab:blue" if fees else "tab:orange"}
                name = f"{'fees' if fees else 'no fees'}, {kind}"
                for row, unit in enumerate(("ms", "process_mb")):
                    axes[row, column].loglog(numbers, [one[f"{kind}_{unit}"] for one in mine], label=name, **style)
        axes[1, column].set_xlabel(label)
        axes[1, column].set_xticks(AXES[axis], [str(number) for number in AXES[axis]])
        axes[1, column].minorticks_off()
        axes[1, column].set(yscale="linear", ylim=(0.0, None))
    axes[0, 0].set_ylabel("processor milliseconds")
    axes[1, 0].set_ylabel("peak of the process, MB")
    axes[0, 0].legend(fontsize=8)
    for panel in axes.flat:
        panel.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, nargs="?", help="of JSON lines")
    parser.add_argument("--only", nargs="*", metavar="TEXT", help="only points whose JSON contains one of these texts")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draws the picture")
    parser.add_argument("--point", help=argparse.SUPPRESS)
    parser.add_argument("--kind", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.point:
        import quantsim

        quantsim.prepare_environment()
        point = Point(**json.loads(options.point))
        found = measure(point, options.kind) if options.kind in KINDS else {}
        for call in calls_of(point).values() if not found else ():
            call()
        print(json.dumps(found))
        return
    if options.file is None:
        parser.error("give a file for the measurements")
    rows = [json.loads(line) for line in options.file.read_text().splitlines()] if options.file.exists() else []
    there = {Point(*(row[name] for name in asdict(Point()))) for row in rows}
    with options.file.open("a") as file:
        for point in points():
            text = json.dumps(asdict(point))
            if point in there or (options.only is not None and not any(one in text for one in options.only)):
                continue
            rows.append(measured(point))
            file.write(json.dumps(rows[-1]) + "\n")
            file.flush()
    console = Console(width=140)
    console.print(slopes(rows))
    for row in rows:
        if Point(*(row[name] for name in asdict(Point()))) == LARGEST:
            console.print(
                f"{LARGEST}: gradient {row['gradient_ms']:.0f} ms of the processor, peak {row['gradient_process_mb']:.0f} MB"
            )
    if options.plot:
        plot(rows, options.plot)


if __name__ == "__main__":
    main()
