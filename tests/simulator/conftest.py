from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import jax
import pytest

COMPILED = "/jax/core/compile/backend_compile_duration"
_seen: list[str] = []


def _listen(event: str, duration: float, **_: object) -> None:
    if event == COMPILED:
        _seen.append(event)


@pytest.fixture(scope="session")
def compilations() -> Callable[[], AbstractContextManager[list[str]]]:
    """A context manager whose value holds one entry for every program compiled inside it."""
    jax.monitoring.register_event_duration_secs_listener(_listen)

    @contextmanager
    def counting() -> Iterator[list[str]]:
        before, inside = len(_seen), []
        yield inside
        inside.extend(_seen[before:])

    return counting
