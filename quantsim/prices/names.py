"""Which file, column or symbol a token's prices are under."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from quantsim.errors import PriceError, nearest

__all__ = ["check_tokens", "find_name", "token_of"]

# A price against one of these counts as a price in US dollars; BTC_ETH is a different series, never taken for BTC.
_DOLLARS = "usd|usdt|usdc"


def check_tokens(tokens: Sequence[str]) -> tuple[str, ...]:
    """Returns the tokens as a tuple, in the order given.

    Raises:
        PriceError: there are none, one is no name, or two are the same but for their case.
    """
    if isinstance(tokens, str):
        raise PriceError(f"tokens is the string {tokens!r}; give a sequence of names, such as [{tokens!r}]")
    names = tuple(tokens)
    if not names:
        raise PriceError("tokens is empty; name at least one, such as ['BTC', 'ETH']")
    seen: set[str] = set()
    for name in names:
        if not isinstance(name, str) or not name.strip():
            raise PriceError(f"token {name!r} is no name; tokens are strings such as 'BTC'")
        if name.casefold() in seen:
            raise PriceError(f"token {name!r} is given twice in {list(names)}; name each once (case does not matter)")
        seen.add(name.casefold())
    return names


def find_name(token: str, names: Iterable[str], where: str) -> str:
    """Returns the one of ``names`` that holds the token's price in dollars.

    The token itself comes first, whatever its case; else one with the quote currency appended, such as ``BTC_USD``,
    ``btc-usdt`` or ``BTCUSD``.

    Raises:
        PriceError: none fits (the message lists what there is, with the nearest), or several do.
    """
    names = tuple(names)
    exact = [name for name in names if name.casefold() == token.casefold()]
    quoted = re.compile(rf"{re.escape(token)}[_\-/.: ]?({_DOLLARS})", re.IGNORECASE)
    found = exact or [name for name in names if quoted.fullmatch(name)]
    if len(found) > 1:
        raise PriceError(f"token {token!r} is ambiguous in {where}: {', '.join(sorted(found))}; keep one of them")
    if not found:
        known = [token_of(name) for name in names]
        hint = nearest(token, known)
        listing = "" if hint.startswith("known") else f" (known: {', '.join(known)})"
        raise PriceError(f"token {token!r} is not in {where}; {hint}{listing}")
    return found[0]


def token_of(name: str) -> str:
    """Returns the token that a file, column or symbol name stands for: the name less a separated quote currency."""
    return re.sub(rf"(?<=.)[_\-/.: ]({_DOLLARS})$", "", name, flags=re.IGNORECASE)
