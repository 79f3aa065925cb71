"""Progress bars for scripts and notebooks."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

__all__ = ["Progress", "showing"]

T = TypeVar("T")

Progress = bool | Callable[[T], None]
"""Whether to show a bar, or a function that is called after every step."""


@contextlib.contextmanager
def showing(
    progress: Progress[T], what: str, of: Callable[[T], tuple[int, int, str]]
) -> Iterator[Callable[[T], None] | None]:
    """Yields the function to call with a driver's reports; it draws a bar if ``progress`` is true.

    A bar is drawn in a notebook, or on a terminal; elsewhere, as in a log file, nothing is written.

    Args:
        progress: the argument of the caller: whether to draw a bar, or a function to call.
        what: name of a unit: "trial", "step".
        of: report → number of finished units, number in all, and a short text.
    """
    if not isinstance(progress, bool):
        yield progress
        return
    if not progress or not (_in_notebook() or sys.stderr.isatty()):
        yield None
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # in a notebook without ipywidgets the bar is text
        from tqdm.auto import tqdm

    with tqdm(unit=what) as bar:

        def update(report: T) -> None:
            done, total, text = of(report)
            bar.total = total
            bar.set_postfix_str(text, refresh=False)
            bar.update(done - bar.n)

        yield update


def _in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    ipython: Any = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell is not None and "IPKernelApp" in shell.config
