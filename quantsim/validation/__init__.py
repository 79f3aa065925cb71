"""Validation of results: tests whether a selected set is better than the best of equally many trials without skill.

* ``validation``: :func:`validate`, and the :class:`Validation` that it returns.
* ``loading``, ``lineage``, ``trials``: the trials that count, and their daily returns.
* ``evidence``: the figures, by :mod:`quantsim.statistics`.
* ``judgement``, ``cautions``, ``origin``: the sentences that follow from them.

``docs/validation.md`` explains how to read each figure.
"""

from quantsim.validation.validation import Validation, validate, validate_pick

__all__ = ["Validation", "validate", "validate_pick"]
