"""Runs the table at another commit too, and marks what has become slower by more than noise.

    python benchmarks/compare.py BASE [--prices FOLDER] [--rows TEXT ...] [--sessions 7] [--floor 0.05] [--json FILE]

Sessions follow one another. In each, two new processes, one with the source tree of BASE (a git worktree in a temporary
folder) and one with this one, time the same work in turns: base, this, this, base, and so on. Both run the benchmark of this
tree; work that BASE cannot do is left out. The ratio of a session is the median over its pairs of this over base.

The rule: a row is marked if the median ratio of the sessions exceeds 1 by more than the floor, and the interval of the median
excludes 1. The interval comes from order statistics, so it assumes nothing about the distribution of noise; each of its ends
is wrong with a probability of at most 1 %. With seven sessions, it goes from the smallest to the largest ratio. The plain loop
is the same code in both trees: its row shows how noisy the machine is. The exit status is 1 if a row is marked.
"""

from __future__ import annotations

import argparse
import compileall
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from table import N_CORES, ONE_CORE, chosen
from worker import TREE, Missing, Worker, price_files

LEVEL = 0.01
LEAST_SESSIONS = 7
"""With fewer, an interval of a median at this level has no ends."""


@dataclass(frozen=True)
class Verdict:
    """How the time of a piece of work has changed.

    Attributes:
        ratio: time in this tree over that at the base, the median of the sessions.
        low: lower end of the interval of the median.
        high: upper end.
        change: "slower" or "faster" if the change is more than noise, else "".
    """

    ratio: float
    low: float
    high: float
    change: str


def judged(ratios: Sequence[float], floor: float) -> Verdict:
    """Judges the ratios of sessions by the rule above.

    Args:
        ratios: one for each session, at least seven.
        floor: smallest change to mark, such as 0.05.
    """
    from scipy.stats import quantile_test

    median = statistics.median(ratios)
    interval = quantile_test(ratios, q=median, p=0.5).confidence_interval(1.0 - 2.0 * LEVEL)
    low, high = float(interval.low), float(interval.high)
    change = ""
    if low > 1.0 and median > 1.0 + floor:
        change = "slower"
    elif high < 1.0 and median < 1.0 / (1.0 + floor):
        change = "faster"
    return Verdict(median, low, high, change)


@contextmanager
def worktree(commit: str) -> Iterator[Path]:
    """The source tree of a commit, in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="quantsim-base-") as folder:
        tree = Path(folder) / "tree"
        git("worktree", "add", "--detach", str(tree), commit)
        try:
            compileall.compile_dir(tree / "quantsim", quiet=2)  # so that no process pays for it
            yield tree
        finally:
            git("worktree", "remove", "--force", str(tree))


def git(*arguments: str) -> str:
    """Runs git in this tree, and returns its output; ends the program with git's message if it fails."""
    done = subprocess.run(["git", "-C", str(TREE), *arguments], capture_output=True, text=True)  # noqa: S603, S607
    if done.returncode:
        sys.exit(f"git {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()


def session(
    names: Iterable[str], base: Worker, this: Worker, n_pairs: int, seconds: float, of: str = "wall"
) -> dict[str, list[float]]:
    """Times all work in turns, and returns name → ratios of pairs. Work that one of the trees cannot do has none.

    Half of the pairs begin with the base.
    """
    found: dict[str, list[float]] = {}
    for name in names:
        found[name] = pairs = []
        begun = 0.0
        try:
            for order in itertools.cycle(((base, this), (this, base))):
                if len(pairs) == 1:
                    begun = time.perf_counter()  # the first pair made the work
                times = {worker: getattr(worker.seconds(name), of) for worker in order}
                pairs.append(times[this] / times[base])
                if len(pairs) % 2 == 0 and (len(pairs) >= n_pairs or time.perf_counter() - begun > seconds):
                    break
        except Missing as error:
            print(error, file=sys.stderr)
            pairs.clear()
    return found


def compared(
    work: Mapping[str, str], base: Path, folder: Path, n_sessions: int, n_pairs: int, seconds: float, of: str
) -> dict[str, list[float]]:
    """Returns title → median ratio of each session.

    Args:
        work: title → name of the work.
        base: source tree of the base.
        folder: prices.
        n_sessions: number of sessions.
        n_pairs: pairs of a session.
        seconds: time for each piece of work of a session, in which slow work gets fewer pairs, but at least two.
        of: ``wall`` or ``processor``, the seconds to compare.
    """
    ratios: dict[str, list[float]] = {title: [] for title in work}
    for _ in range(n_sessions):
        with Worker(folder, N_CORES, base) as before, Worker(folder, N_CORES) as after:
            pairs = session(work.values(), before, after, n_pairs, seconds, of)
        for title, name in work.items():
            ratios[title] += [statistics.median(pairs[name])] if pairs[name] else []
    return ratios


def work_of(texts: Iterable[str]) -> dict[str, str]:
    """Title → name of the work of the rows of the table, and of the plain loops that they are compared with."""
    rows = chosen(texts)
    titles: dict[str, str] = {}
    for row in rows:
        if row.reference is not None and not row.reference.endswith(ONE_CORE):
            titles.setdefault(row.reference, f"plain {row.reference}, the same in both")
    for row in rows:
        titles.setdefault(row.work, row.title.partition(": two cores")[0])
    return {title: name for name, title in titles.items()}


def shown(verdicts: Mapping[str, Verdict | None]) -> Table:
    table = Table("work", "this over base", "interval", "")
    for title, verdict in verdicts.items():
        if verdict is None:
            table.add_row(title, "–", "", "not in both")
        else:
            table.add_row(title, f"{verdict.ratio:.3f}", f"{verdict.low:.3f} … {verdict.high:.3f}", verdict.change)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", help="commit to compare with")
    parser.add_argument("--prices", type=Path, help="folder of 1-minute closes, one file per token")
    parser.add_argument(
        "--rows", nargs="*", default=[], metavar="TEXT", help="only rows that contain one of these texts"
    )
    parser.add_argument("--sessions", type=int, default=LEAST_SESSIONS, help="default: 7, which is the fewest")
    parser.add_argument("--pairs", type=int, default=8, help="pairs of times per session (default: 8)")
    parser.add_argument("--seconds", type=float, default=1.0, help="time per row and session (default: 1)")
    parser.add_argument("--floor", type=float, default=0.05, help="smallest change to mark (default: 0.05)")
    parser.add_argument(
        "--processor", action="store_true", help="compares processor seconds, which depend less on load"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="writes the ratios of all sessions")
    options = parser.parse_args()
    if options.sessions < LEAST_SESSIONS:
        parser.error(f"--sessions {options.sessions}: give at least {LEAST_SESSIONS}")
    commit, work = git("rev-parse", "--verify", f"{options.base}^{{commit}}"), work_of(options.rows)
    with worktree(commit) as base, price_files(options.prices) as folder:
        of = "processor" if options.processor else "wall"
        ratios = compared(work, base, folder, options.sessions, options.pairs, options.seconds, of)
    verdicts = {
        title: judged(found, options.floor) if len(found) == options.sessions else None
        for title, found in ratios.items()
    }
    Console(width=140).print(shown(verdicts))
    if options.json:
        rows = [
            {"work": title, "ratios": ratios[title], **(asdict(verdict) if verdict else {})}
            for title, verdict in verdicts.items()
        ]
        options.json.write_text(json.dumps({"base": commit, "rows": rows}, indent=1) + "\n")
    marked = [title for title, verdict in verdicts.items() if verdict and verdict.change == "slower"]
    if marked:
        sys.exit(f"slower than {commit[:9]}: {'; '.join(marked)}")


if __name__ == "__main__":
    main()
