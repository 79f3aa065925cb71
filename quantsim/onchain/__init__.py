"""From a study to a pool of QuantAMM's contracts: its settings, its updates on a chain, and the difference that they make."""

from quantsim.onchain.chain import Chain
from quantsim.onchain.difference import Difference
from quantsim.onchain.run import ChainRun, ChainUpdate, run_on_chain
from quantsim.onchain.settings import ContractPool, Problem, contract_pool, contract_problems
from quantsim.onchain.simulation import ChainSimulation, chain_results, simulate_on_chain

__all__ = [
    "Chain",
    "ChainRun",
    "ChainSimulation",
    "ChainUpdate",
    "ContractPool",
    "Difference",
    "Problem",
    "chain_results",
    "contract_pool",
    "contract_problems",
    "run_on_chain",
    "simulate_on_chain",
]
