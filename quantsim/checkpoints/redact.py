"""Removes passwords from messages and stored values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from sqlalchemy import URL

__all__ = ["REDACTED", "redact", "shown_url"]

REDACTED = "***"

# scheme://user:password@, where a path has only one slash. Greedy up to the last "@", because passwords often contain an
# unescaped one. Only the end of the scheme is matched: matching its beginning takes seconds in a long text.
_IN_AUTHORITY = re.compile(r"([A-Za-z0-9+.\-]:/{1,2}[^:/@\s]*:)[^\s\"'<>]+@")
_IN_QUERY = re.compile(r"((?:password|passwd|pwd|passphrase|token|secret|apikey|api_key)=)[^&\s\"'<>]+", re.IGNORECASE)


def redact(text: str, password: str | None = None) -> str:
    """Returns the text with the passwords of all URLs, and all occurrences of the given one, replaced by ``***``.

    Example:
        >>> redact("postgresql://ann:pw@host/db?sslpassword=x")
        'postgresql://ann:***@host/db?sslpassword=***'
    """
    text = _IN_QUERY.sub(rf"\g<1>{REDACTED}", _IN_AUTHORITY.sub(rf"\g<1>{REDACTED}@", text))
    if password:
        for form in {password, quote(password, safe=""), quote_plus(password)}:
            text = text.replace(form, REDACTED)
    return text


def shown_url(url: URL) -> str:
    """Returns a database URL without passwords, for messages."""
    return redact(url.render_as_string(hide_password=True))
