"""Processes that time pieces of work, one after another, so that several of them can take turns.

Each has its own processors and its own source tree, so the same work is timed on one core and on two, or at two commits, under
the same load. Not run by hand: see ``table.py`` and ``compare.py``.
"""

from __future__ import annotations

import gc
import json
import math
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO, cast

from timing import Timed, timed

TREE = Path(__file__).resolve().parents[1]
SHORTEST = 0.02
"""Seconds. Work that takes less is repeated within a measurement."""


class Missing(Exception):
    """A source tree cannot do a piece of work."""


class Worker:
    """A process that times work; a context manager.

    Attributes:
        tree: source tree from which quantsim is imported.
    """

    def __init__(self, folder: Path, n_cores: int, tree: Path = TREE) -> None:
        """Starts the process on the first ``n_cores`` of the processors that this one may use.

        Args:
            folder: prices, as ``inputs.price_folder`` makes them.
            n_cores: number of processors.
            tree: source tree.
        """
        self.tree = tree
        environment = {**os.environ, "PYTHONPATH": str(tree)}
        command = [sys.executable, str(Path(__file__)), str(folder), ",".join(map(str, processors(n_cores)))]
        process = subprocess.Popen(  # noqa: S603 - this file
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._process, self._names, self._answers = process, cast(TextIO, process.stdin), cast(TextIO, process.stdout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._names.close()
        self._process.wait()
        self._answers.close()

    def seconds(self, name: str) -> Timed:
        """Returns the seconds of a piece of work by name; see ``workloads.py``. The first call also makes it and warms up.

        Raises:
            Missing: it failed.
        """
        print(name, file=self._names, flush=True)
        answer = self._answers.readline()
        if not answer:
            raise Missing(f"{name!r} ended its process")
        found: dict[str, Any] = json.loads(answer)
        if "error" in found:
            raise Missing(f"{name!r}: {found['error']}")
        return Timed(*found["seconds"])


def processors(n_cores: int) -> Sequence[int]:
    """The first of the processors that this process may use; none on systems that cannot restrict a process."""
    return sorted(os.sched_getaffinity(0))[:n_cores] if hasattr(os, "sched_getaffinity") else ()


@contextmanager
def price_files(given: Path | None) -> Iterator[Path]:
    """A temporary folder of prices; see ``inputs.price_folder``."""
    from inputs import price_folder

    with tempfile.TemporaryDirectory(prefix="quantsim-bench-") as folder:
        into = Path(folder) / "prices"
        into.mkdir()
        yield price_folder(given, into)


def serve(folder: Path) -> None:
    """Reads names of work from the standard input, and answers with the seconds of each as a line of JSON."""
    answers, sys.stdout = sys.stdout, sys.stderr
    from workloads import Workload, Workloads

    workloads = Workloads(folder)
    ready: dict[str, tuple[Workload, int]] = {}
    for line in sys.stdin:
        name = line.strip()
        try:
            if name not in ready:
                work = workloads.make(name)
                n_calls = 1
                if not work.cold:
                    timed(work.call)
                    n_calls = math.ceil(SHORTEST / min(timed(work.call).wall, SHORTEST))
                ready[name] = (work, n_calls)
            work, n_calls = ready[name]
            gc.collect()
            found: dict[str, Any] = {"seconds": [seconds / work.units for seconds in timed(work.call, n_calls)]}
        except Exception as error:
            traceback.print_exc()
            found = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(found), file=answers, flush=True)


if __name__ == "__main__":
    if sys.argv[2]:
        os.sched_setaffinity(0, [int(number) for number in sys.argv[2].split(",")])
    import quantsim

    quantsim.prepare_environment()
    serve(Path(sys.argv[1]))
