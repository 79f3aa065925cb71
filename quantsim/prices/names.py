"""Finds the file, column or symbol of a token's prices. A name must match a token as a whole, never in part."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from quantsim.errors import PriceError, nearest

__all__ = [
    "base_of",
    "check_tokens",
    "find_name",
    "find_names",
    "is_dollar",
    "is_index_name",
    "refusal",
    "stands_for",
    "token_of",
    "tokens_of",
]

# A price in one of these currencies counts as a price in US dollars. BTC_ETH is another series, never used as BTC.
_DOLLARS = ("usd", "usdt", "usdc", "busd", "fdusd", "tusd", "pyusd", "usdp", "gusd", "dai")
_DOLLAR = "|".join(_DOLLARS)
_SEPARATOR = r"[_\-/.: ]"
_SEPARATED = re.compile(rf"(?P<base>.+?){_SEPARATOR}(?P<quote>[^_\-/.: ]+)")
_JOINED = re.compile(r"(?P<base>.+?)(?P<quote>usdt|usdc|fdusd|busd|usd)", re.IGNORECASE)
# Tokens whose names look like a pair: CRVUSD may be the token crvUSD, which is not the price of CRV.
_NO_PAIR = re.compile(
    r"([a-z]|al|av|crv|de|fd|frx|fx|gr|ha|hy|jup|lvl|mk|ms|perp|px|py|rl|sat|sc|sfrx|usd|yn)usd"
    r"|(a|axl|c|s|syrup)usdc|(a|c)usdt",
    re.IGNORECASE,
)
_INDEX_NAME = re.compile(r"|[Uu]nnamed: ?\d+(\.\d+|_level_\d+)?|[Ii]ndex|level_\d+|__index_level_\d+__")
_CURRENCY = r"(?!perp|spot|swap|close|price)[a-z]{2,6}"
_ALIASES = {"xbt": "btc", "xdg": "doge"}  # ISO-like codes that some exchanges use


def check_tokens(tokens: Sequence[str]) -> tuple[str, ...]:
    """Returns the tokens as a tuple, in the order given.

    Raises:
        PriceError: there are no tokens, a token is not a valid name, or two tokens differ only in case.
    """
    if isinstance(tokens, str):
        raise PriceError(f"tokens is the string {tokens!r}; give a sequence of names, such as [{tokens!r}]")
    names = tuple(tokens)
    if not names:
        raise PriceError("tokens is empty; name at least one, such as ['BTC', 'ETH']")
    seen: set[str] = set()
    for name in names:
        if not isinstance(name, str) or not name.strip():
            raise PriceError(f"token {name!r} is not a valid name; tokens are strings such as 'BTC'")
        if is_index_name(name):
            raise PriceError(f"token {name!r} is the name of a data frame's row index; name a column that holds prices")
        if name.casefold() in seen:
            raise PriceError(f"token {name!r} is given twice in {list(names)}; name each once (case does not matter)")
        seen.add(name.casefold())
    return names


def stands_for(name: str, token: str) -> bool:
    """Whether a name stands for a token: its own name, or the name of its price in dollars.

    The name of a price is the token followed by a dollar currency: ``BTC_USD``, ``btc-usdt``, ``BTC/USDC`` or ``BTCUSD``. An
    exchange may come first (``BINANCE:BTCUSDT``), and ``XBT`` stands for ``BTC``. A name without a separator that is the name
    of another token is not a pair: ``crvUSD`` is not the price of ``CRV``.
    """
    name, token = name.strip(), token.strip()
    whole = _JOINED.fullmatch(token)
    if whole and not _is_own_name(token, whole, whole["base"].upper()):
        token = whole["base"]  # a token named BTCUSDT, like its file
    return _same(name, token) or _is_pair(name, token) or _is_pair(name.partition(":")[2], token)


def _is_pair(name: str, token: str) -> bool:
    """Whether a name is the token followed by a dollar currency."""
    pair = _SEPARATED.fullmatch(name)
    if pair:
        return _same(pair["base"], token) and is_dollar(pair["quote"])
    pair = _JOINED.fullmatch(name)
    return pair is not None and _same(pair["base"], token) and not _is_own_name(name, pair, token)


def is_dollar(quote: str) -> bool:
    """Whether prices in this currency count as prices in US dollars."""
    return quote.strip().casefold() in (*_DOLLARS, "us dollar", "dollar", "us$", "$")


def refusal(name: str, token: str) -> str:
    """Says why a name does not stand for a token, with the remedy."""
    name = name.strip()
    pair = _SEPARATED.fullmatch(name)
    if pair and _same(pair["base"], token) and re.fullmatch(_CURRENCY, pair["quote"], re.IGNORECASE):
        return (
            f"{name} is the price of {token} in {pair['quote']}, not in dollars: take {token}/USD, or multiply by the price of "
            f"{pair['quote']} in dollars"
        )
    pair = _JOINED.fullmatch(name)
    if pair and _same(pair["base"], token):
        return f"{name} is another token: for the price of {token} in dollars write {token} or {token}_USD"
    return f"{name} is not {token}"


def is_index_name(name: str) -> bool:
    """Whether a column is the row index of a data frame: its name is empty, ``Unnamed: 0`` or ``index``."""
    return _INDEX_NAME.fullmatch(name.strip()) is not None


def find_name(token: str, names: Iterable[str], where: str) -> str:
    """Returns the name in ``names`` that stands for the token. The token's own name, in any case, comes first.

    Raises:
        PriceError: no name matches (the message lists the known ones and the nearest), or several match.
    """
    names = tuple(names)
    exact = [name for name in names if name.strip().casefold() == token.strip().casefold()]
    found = exact or [name for name in names if stands_for(name, token)]
    if len(found) > 1:
        raise PriceError(f"token {token!r} is ambiguous in {where}: {', '.join(sorted(found))}; keep one of them")
    if found:
        return found[0]
    known = [token_of(name) for name in names]
    hint = nearest(token, known)
    listing = "" if hint.startswith("known") else f" (known: {', '.join(known)})"
    others = [reason for name in names if (reason := refusal(name, token)) != f"{name.strip()} is not {token}"]
    raise PriceError("; ".join([f"token {token!r} is not in {where}", *others, f"{hint}{listing}"]))


def find_names(tokens: Iterable[str], names: Iterable[str], where: str) -> dict[str, str]:
    """Returns token → its name, in the order of the tokens.

    Raises:
        PriceError: as in :func:`find_name`, or two tokens match the same name.
    """
    names = tuple(names)
    found: dict[str, str] = {}
    for token in tokens:
        name = find_name(token, names, where)
        for other, taken in found.items():
            if taken == name:
                raise PriceError(
                    f"tokens {other!r} and {token!r} both match {name!r} in {where}; a name stands for one token"
                )
        found[token] = name
    return found


def token_of(name: str) -> str:
    """Returns the token of a file, column or symbol: its name without a separated quote currency."""
    return re.sub(rf"(?<=.){_SEPARATOR}({_DOLLAR})$", "", name.strip(), flags=re.IGNORECASE)


def base_of(name: str) -> str:
    """Returns the token whose price in dollars a name stands for, or the name itself if it is not such a pair.

    Example:
        >>> base_of("BTCUSDT"), base_of("XBT/USD"), base_of("BINANCE:ethusdt"), base_of("crvUSD")
        ('BTC', 'BTC', 'ETH', 'crvUSD')
    """
    name = name.strip()
    exchange, colon, pair = name.partition(":")
    name = pair if colon and re.fullmatch(r"[A-Za-z]+", exchange) else name
    base = token_of(name)
    joined = _JOINED.fullmatch(base)
    if base == name and joined and not _is_own_name(name, joined, joined["base"].upper()):
        base = joined["base"]
    base = base.upper() if base.islower() else base
    alias = _ALIASES.get(base.casefold())
    return base if alias is None else alias.upper()


def tokens_of(names: Iterable[str], where: str) -> dict[str, str]:
    """Returns token → name, for all names.

    Raises:
        PriceError: two names stand for one token.
    """
    found: dict[str, str] = {}
    for name in names:
        other = found.setdefault(token_of(name), name)
        if other != name:
            raise PriceError(f"token {token_of(name)!r} is ambiguous in {where}: {other}, {name}; keep one of them")
    return found


def _same(name: str, token: str) -> bool:
    one, other = name.casefold(), token.strip().casefold()
    return _ALIASES.get(one, one) == _ALIASES.get(other, other)


def _is_own_name(name: str, pair: re.Match[str], token: str) -> bool:
    """Whether a name without a separator is the name of another token: a known one, or one spelt like ``crvUSD``."""
    if _NO_PAIR.fullmatch(name):
        return True
    return pair["quote"].isupper() and not pair["base"].isupper() and pair["base"] != token.strip()
