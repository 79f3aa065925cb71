"""The number of threads."""

from __future__ import annotations

import os

import pytest

from quantsim.errors import ConfigError
from quantsim.threads import thread_count


def test_the_environment_sets_the_number_of_threads(monkeypatch):
    assert thread_count({"QUANTSIM_THREADS": " 3 "}) == 3
    monkeypatch.setenv("QUANTSIM_THREADS", "5")
    assert thread_count() == 5


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="affinity masks of Linux")
def test_by_default_there_are_as_many_as_this_process_may_use():
    allowed = os.sched_getaffinity(0)
    assert thread_count({}) == thread_count({"QUANTSIM_THREADS": ""}) == len(allowed)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert thread_count({}) == 1
    finally:
        os.sched_setaffinity(0, allowed)


@pytest.mark.parametrize("text", ["0", "-1", "many", "2.5", "1e3", "٣", "1025", "9" * 5000])
def test_nonsense_is_refused_with_the_remedy(text):
    with pytest.raises(ConfigError, match=r"QUANTSIM_THREADS = .* must be a whole number from 1 to 1,024"):
        thread_count({"QUANTSIM_THREADS": text})
