"""From a study to a pool of QuantAMM's contracts: its settings, its updates on a chain, and the difference that they make.

:mod:`quantsim.onchain.simulation` simulates such a pool; it is a module of its own because it needs JAX.
:mod:`quantsim.onchain.eclp` computes what an E-CLP's contract is created with.
"""

from quantsim.onchain.chain import Chain
from quantsim.onchain.creation import contract_document
from quantsim.onchain.difference import Difference
from quantsim.onchain.run import ChainRun, ChainUpdate, run_on_chain
from quantsim.onchain.settings import ContractPool, Problem, contract_pool, contract_problems

__all__ = [
    "Chain",
    "ChainRun",
    "ChainUpdate",
    "ContractPool",
    "Difference",
    "Problem",
    "contract_document",
    "contract_pool",
    "contract_problems",
    "run_on_chain",
]
