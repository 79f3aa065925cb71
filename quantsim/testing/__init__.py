"""Conformance checks for your own rules, fee rules, metrics and pools.

One line in a test calls them all:

    def test_my_rule() -> None:
        check_rule("my_rule.py:RULE")

Each check raises :class:`~quantsim.errors.ConformanceError`, an ``AssertionError`` that names the law that is broken, the
numbers that show it, and the remedy. Nothing here needs pytest.
"""

from quantsim.errors import ConformanceError
from quantsim.testing.everything import check_all
from quantsim.testing.metrics import check_metric
from quantsim.testing.pools import check_pool
from quantsim.testing.rules import check_fee_rule, check_rule

__all__ = ["ConformanceError", "check_all", "check_fee_rule", "check_metric", "check_pool", "check_rule"]
