"""Times forward and gradient on an accelerator, in float64 and float32.

    python benchmarks/gpu.py [--cpu] [--days 151] [--minutes 4.5] [--json FILE]

The associative forms, which run on accelerators, on synthetic minutes: 2 and 5 tokens, 1 and 64 parameter sets, with fees and
without. Times are medians of at most five calls, in milliseconds, without compilation. Without an accelerator, the program
says so and ends; ``--cpu`` runs the same on the CPU, on a few days. Cases that do not fit into the time or the memory are shown
as such.

quantsim computes in float64. The float32 rows are the same compiled functions with prices and parameters in float32, to show
what half the precision would gain; their values differ from those of float64 as the last column says.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from timing import median_ms

import quantsim

WARM_UP_DAYS = 30
REPEATS, SECONDS = 5, 3.0
"""Calls of a case, of which slow ones get fewer."""


@dataclass(frozen=True)
class Case:
    """What is timed.

    Attributes:
        fees: whether there is a swap fee.
        n_tokens: number of tokens.
        n_sets: number of parameter sets.
        dtype: ``float64`` or ``float32``.
    """

    fees: bool
    n_tokens: int
    n_sets: int
    dtype: str


def cases() -> list[Case]:
    """All cases; float32 follows float64, with which it is compared."""
    return [Case(*values) for values in itertools.product((False, True), (2, 5), (1, 64), ("float64", "float32"))]


class Accelerated:
    """The associative forms of a study, as functions of the number of sets and the precision."""

    def __init__(self, n_tokens: int, fees: bool, days: int) -> None:
        from inputs import synthetic_study

        study, prices = synthetic_study(n_tokens, days, WARM_UP_DAYS, fees=fees)
        self.evaluator = quantsim.Evaluator(study, prices, scan_mode="associative")

    def calls(self, n_sets: int, dtype: str) -> tuple[Callable[[], Any], Callable[[], Any]]:
        """Functions that return the values of all sets, and values and gradients."""
        import jax
        from inputs import Programs

        programs = Programs(self.evaluator, n_sets)
        if dtype == "float64":
            return programs.value, programs.gradient

        def halved(leaf: Any) -> Any:
            return leaf.astype({"float64": "float32", "int64": "int32"}.get(leaf.dtype.name, leaf.dtype))

        arguments = (programs.objective, programs.sets, programs.starts)
        programs.objective, programs.sets, programs.starts = jax.tree.map(halved, arguments)

        def in_float32(call: Callable[[], Any]) -> Callable[[], Any]:
            def run() -> Any:
                with jax.enable_x64(False), warnings.catch_warnings():
                    warnings.filterwarnings("ignore", message="Explicitly requested dtype")
                    return call()

            return run

        return in_float32(programs.value), in_float32(programs.gradient)


def timed_case(case: Case, forms: Accelerated, values: dict[Any, np.ndarray]) -> dict[str, Any]:
    """Times a case; the failure of one, such as for lack of memory, does not stop the others."""
    try:
        forward, gradient = forms.calls(case.n_sets, case.dtype)
        found = np.asarray(forward(), np.float64)
        reference = values.setdefault((case.fees, case.n_tokens, case.n_sets), found)
        return {
            "forward_ms": median_ms(forward, REPEATS, SECONDS),
            "gradient_ms": median_ms(gradient, REPEATS, SECONDS),
            "difference": float(np.max(np.abs(found - reference))),
        }
    except Exception as error:
        return {"error": f"{type(error).__name__}: {str(error).splitlines()[0][:60]}"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cpu", action="store_true", help="runs the associative forms on the CPU")
    parser.add_argument("--days", type=int, help="length of the prices (default: 151; 5 with --cpu)")
    parser.add_argument("--minutes", type=float, default=4.5, help="time after which no case begins (default: 4.5)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="writes the figures")
    options = parser.parse_args()
    begun = time.monotonic()
    quantsim.prepare_environment()
    import jax

    if jax.default_backend() == "cpu" and not options.cpu:
        sys.exit("JAX has no accelerator here (pip install 'jax[cuda12]'); --cpu runs the same forms on the CPU")
    days = options.days or (5 if options.cpu else 151)
    device = jax.devices()[0]
    table = Table("fees", "tokens", "sets", "precision", "forward, ms", "gradient, ms", "difference")
    rows, forms, values = [], {}, {}
    for case in cases():
        key = (case.n_tokens, case.fees)
        if time.monotonic() - begun > 60.0 * options.minutes:
            row = {"error": "not run: out of time"}
        else:
            if key not in forms:
                forms[key] = Accelerated(*key, days)
            row = timed_case(case, forms[key], values)
        rows.append(asdict(case) | row)
        named = ("yes" if case.fees else "no", str(case.n_tokens), str(case.n_sets), case.dtype)
        if "error" in row:
            table.add_row(*named, row["error"])
        else:
            table.add_row(*named, f"{row['forward_ms']:.2f}", f"{row['gradient_ms']:.2f}", f"{row['difference']:.1e}")
    table.title = f"{days} days of minutes on {device.device_kind} ({device.platform}), JAX {jax.__version__}"
    Console(width=120).print(table)
    if options.json:
        options.json.write_text(json.dumps({"device": device.device_kind, "days": days, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
