"""An exchange as ccxt shows it: markets by token, and pages of closes, asked for again when the exchange does not answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from quantsim.errors import PriceError, nearest, reason_of
from quantsim.prices.names import is_dollar

__all__ = ["Candles", "opened"]

logger = logging.getLogger(__name__)

_MOST_ATTEMPTS = 8
_LONGEST_WAIT_S = 60.0
_DEFAULT_PAGE = 500  # bars; where ccxt does not know an exchange's limit

T = TypeVar("T")


def opened(exchange: Any) -> Any:
    """Returns an exchange of ccxt that keeps its rate limit: a given one, or the one of this name.

    Raises:
        PriceError: ccxt is not installed, does not know the name, or has no candles of the exchange.
    """
    try:
        import ccxt
    except ImportError as error:
        name = exchange if isinstance(exchange, str) else "an exchange"
        raise PriceError(f"a download from {name} needs the package ccxt: pip install 'quantsim[download]'") from error
    if isinstance(exchange, str):
        if exchange not in ccxt.exchanges:
            raise PriceError(f"ccxt has no exchange {exchange!r}; {nearest(exchange, ccxt.exchanges)}")
        exchange = getattr(ccxt, exchange)()
    if not exchange.has.get("fetchOHLCV"):
        raise PriceError(f"{exchange.id} gives no candles; choose another exchange")
    exchange.enableRateLimit = True
    return exchange


class Candles:
    """Closes of one market of an exchange, by the starts of bars in minutes since 1970.

    Attributes:
        symbol: the market, such as ``"BTC/USDT"``.
        most: number of bars that the exchange returns at once.
    """

    def __init__(
        self,
        exchange: Any,
        token: str,
        quote: str,
        bar_minutes: int,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Finds the market of a token.

        Raises:
            PriceError: the exchange does not trade the token for this currency, has no such bars, or does not answer.
        """
        self._exchange, self._sleep, self._bar_minutes = exchange, sleep, bar_minutes
        self._timeframe = _timeframe(exchange, bar_minutes)
        markets = self._ask(exchange.load_markets)
        self.symbol = _symbol(exchange.id, markets, token, quote)
        self.most = int(exchange.feature_value(self.symbol, "fetchOHLCV", "limit", None) or _DEFAULT_PAGE)

    def __str__(self) -> str:
        return f"{self._exchange.id} {self.symbol}"

    @property
    def exchange(self) -> str:
        """The name of the exchange in ccxt."""
        return str(self._exchange.id)

    def now(self) -> int:
        """Returns the time of this computer, in minutes."""
        return int(self._exchange.milliseconds()) // 60_000

    def page(self, first: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Returns the next page of bars that have ended: their starts, increasing, from ``first`` on, and their closes.

        Raises:
            PriceError: the exchange refuses the request, does not answer after several attempts, or answers something else.
        """
        rows = self._ask(
            lambda: self._exchange.fetch_ohlcv(self.symbol, self._timeframe, since=60_000 * first, limit=self.most)
        )
        now = self.now()
        try:
            closes = {int(row[0]) // 60_000: float(row[4]) for row in rows if row[4] is not None}
        except (TypeError, ValueError, IndexError) as error:
            raise PriceError(f"{self} did not answer with candles: {reason_of(error)}") from error
        starts = np.array(sorted(at for at in closes if at >= first and at + self._bar_minutes <= now), np.int64)
        return starts, np.array([closes[at] for at in starts.tolist()], np.float64)

    def _ask(self, request: Callable[[], T]) -> T:
        """Makes a request, again after ever longer waits if the exchange is overloaded or cannot be reached."""
        import ccxt

        for attempt in range(_MOST_ATTEMPTS):
            try:
                return request()
            except ccxt.NetworkError as error:  # also 429 and 418, too many requests
                last = error
                wait = _retry_after(self._exchange, error) or min(2.0**attempt, _LONGEST_WAIT_S)
                level = logging.WARNING if wait >= _LONGEST_WAIT_S else logging.INFO
                logger.log(level, "%s: %s; asked again in %.0f s", self._exchange.id, reason_of(error), wait)
                if attempt + 1 < _MOST_ATTEMPTS:
                    self._sleep(wait)
            except ccxt.BaseError as error:
                raise PriceError(f"{self._exchange.id} refuses the request: {reason_of(error)}") from error
        raise PriceError(
            f"{self._exchange.id} did not answer in {_MOST_ATTEMPTS} attempts: {reason_of(last)}. What was downloaded is "
            "stored, and the same call goes on from there"
        ) from last


def _retry_after(exchange: Any, error: Exception) -> float | None:
    """Returns the seconds that the exchange asks to wait, if it refused the request as one of too many."""
    import ccxt

    if not isinstance(error, ccxt.RateLimitExceeded | ccxt.DDoSProtection):
        return None
    given = (exchange.last_response_headers or {}).get("Retry-After", "")
    return float(given) if str(given).isdecimal() else None


def _timeframe(exchange: Any, bar_minutes: int) -> str:
    lengths: dict[str, int] = {name: exchange.parse_timeframe(name) for name in exchange.timeframes or ()}
    found = next((name for name, seconds in lengths.items() if seconds == 60 * bar_minutes), None)
    if found is None:
        raise PriceError(f"{exchange.id} has no bars of {bar_minutes} min; it has {', '.join(lengths)}")
    return found


def _symbol(exchange: str, markets: dict[str, Any], token: str, quote: str) -> str:
    spot = {
        symbol: market
        for symbol, market in markets.items()
        if market.get("spot") and str(market["base"]).casefold() == token.casefold()
    }
    found = [symbol for symbol, market in spot.items() if str(market["quote"]).casefold() == quote.casefold()]
    if found:
        return found[0]
    others = sorted({str(market["quote"]) for market in spot.values() if is_dollar(str(market["quote"]))})
    if others:
        raise PriceError(f"{exchange} does not trade {token} for {quote}; it does for {', '.join(others)}: set --quote")
    bases = {str(market["base"]) for market in markets.values() if market.get("spot")}
    raise PriceError(
        f"{exchange} does not trade {token} for dollars; {nearest(token, bases) if bases else 'nor any token'}"
    )
