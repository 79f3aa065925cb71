"""The search driver: Optuna studies over the same evaluator and store as the gradient driver; docs/search.md.

Names are imported on first use, so that reading a search space does not load Optuna.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quantsim.drivers.search.driver import SearchRun as SearchRun
    from quantsim.drivers.search.driver import check_search as check_search
    from quantsim.drivers.search.driver import run_search as run_search
    from quantsim.drivers.search.join import WorkerRun as WorkerRun
    from quantsim.drivers.search.join import join_study as join_study
    from quantsim.drivers.search.monitor import SearchProgress as SearchProgress
    from quantsim.drivers.search.space import SearchSpace as SearchSpace
    from quantsim.drivers.search.space_file import load_search_space as load_search_space

_HOMES = {
    "SearchProgress": "monitor",
    "SearchRun": "driver",
    "SearchSpace": "space",
    "WorkerRun": "join",
    "check_search": "driver",
    "join_study": "join",
    "load_search_space": "space_file",
    "run_search": "driver",
}

__all__ = [
    "SearchProgress",
    "SearchRun",
    "SearchSpace",
    "WorkerRun",
    "check_search",
    "join_study",
    "load_search_space",
    "run_search",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
