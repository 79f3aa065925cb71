"""The share of trials that differ significantly from the selected one."""

from __future__ import annotations

import numpy as np

from quantsim.statistics import distinguishable_share


def test_trials_that_differ_from_the_selected_one_are_distinguishable():
    random = np.random.default_rng(0)
    market = 0.01 * random.normal(size=200)
    better, same, copy = (
        market + 0.005 + 0.001 * random.normal(size=200),
        market + 1e-4 * random.normal(size=200),
        market,
    )
    assert distinguishable_share(np.stack([market, better, same, copy], axis=1), 0, 0.9) == 0.5
    assert distinguishable_share(np.stack([market, copy], axis=1), 0, 0.9) == 1.0
