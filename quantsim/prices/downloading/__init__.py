"""Downloads prices from exchanges through ccxt (extra ``download``), into one file per token."""

from __future__ import annotations

from quantsim.prices.downloading.download import download_prices

__all__ = ["download_prices"]
