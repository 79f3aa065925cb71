"""JAX is imported when a program needs it, not when a study is read."""

from __future__ import annotations

import subprocess
import sys

import jax.numpy
import pytest

from quantsim import lazy_jax

READ = """
import sys
from quantsim.config import Experiment
from quantsim.fee_rules import fee_rule_names, get_fee_rule
from quantsim.pools import get_pool, pool_names
from quantsim.rules import get_rule, rule_names
for names, get in ((rule_names(), get_rule), (fee_rule_names(), get_fee_rule), (pool_names(), get_pool)):
    assert [get(name) for name in names]
for name in ("momentum_fees", "composite_zero_fee"):
    assert Experiment.load(name).active_parameters
print(*sorted({"jax", "numba"} & {name.split(".")[0] for name in sys.modules}))
"""


def test_reading_studies_rules_and_pools_does_not_import_jax():
    done = subprocess.run([sys.executable, "-c", READ], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "", "import Array, jax and jnp from quantsim.lazy_jax, and use them in functions only"


def test_the_stand_ins_are_jax():
    assert lazy_jax.jax.numpy is jax.numpy
    assert lazy_jax.jnp.exp is jax.numpy.exp
    with pytest.raises(AttributeError, match="nothing"):
        _ = lazy_jax.jnp.nothing
