"""The search driver: Optuna studies with the same evaluator and store as the gradient driver; see docs/search.md.

Names are imported on first use, so that importing this package does not load Optuna.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quantsim.drivers.search.driver import SearchDriver as SearchDriver
    from quantsim.drivers.search.driver import check_search as check_search
    from quantsim.drivers.search.run import SearchRun as SearchRun
    from quantsim.drivers.search.run import run_search as run_search
    from quantsim.drivers.search.tally import SearchProgress as SearchProgress

_HOMES = {
    "SearchDriver": "driver",
    "SearchProgress": "tally",
    "SearchRun": "run",
    "check_search": "driver",
    "run_search": "run",
}

__all__ = [
    "SearchDriver",
    "SearchProgress",
    "SearchRun",
    "check_search",
    "run_search",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
