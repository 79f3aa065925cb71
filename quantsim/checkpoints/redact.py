"""Keeps passwords out of messages and out of what is stored."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from sqlalchemy import URL

__all__ = ["REDACTED", "redact", "shown_url"]

REDACTED = "***"

# scheme://user:password@, of which a path has lost a slash - greedy to the last "@", since passwords are often written without
# escaping theirs. Of the scheme its end will do: to look for its beginning, too, takes seconds in a long text.
_IN_AUTHORITY = re.compile(r"([A-Za-z0-9+.\-]:/{1,2}[^:/@\s]*:)[^\s\"'<>]+@")
_IN_QUERY = re.compile(r"((?:password|passwd|pwd|passphrase|token|secret|apikey|api_key)=)[^&\s\"'<>]+", re.IGNORECASE)


def redact(text: str, password: str | None = None) -> str:
    """Returns the text with the passwords of all URLs in it, and the given one wherever it stands, replaced by ``***``.

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
    """Returns a database URL as it may be shown: without its password, in the authority or in the query."""
    return redact(url.render_as_string(hide_password=True))
