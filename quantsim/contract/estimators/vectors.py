"""Parameters that are one for all tokens or one for each."""

from __future__ import annotations

from collections.abc import Sequence

from quantsim.errors import ContractError

__all__ = ["per_token"]


def per_token(values: Sequence[int], n_tokens: int, name: str) -> tuple[int, ...]:
    """Returns one value per token.

    Raises:
        ContractError: there is neither one value nor one per token: the contract would read beyond the array.
    """
    if len(values) == 1:
        return (values[0],) * n_tokens
    if len(values) < n_tokens:
        raise ContractError(f"{name} has {len(values)} values, but must have 1 or {n_tokens}, one per token")
    return tuple(values[:n_tokens])
