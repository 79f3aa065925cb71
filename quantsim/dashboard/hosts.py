"""Restricts the dashboard to requests for its own host and from its own pages.

A page of another site can resolve its own name to this machine's address (DNS rebinding), and then read, change and delete
studies through the user's browser. So the server checks the ``Host`` and ``Origin`` headers.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["HostCheck", "is_loopback", "url_host"]

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._\-]+)(?::([0-9]{1,5}))?")


class HostCheck:
    """A WSGI application that forwards requests for its own hosts, and refuses other hosts and other origins.

    A host is a name or address in the ``Host`` header. A server on a loopback address accepts all names of the loopback. A
    server on all addresses accepts every IP address (a page cannot use one as its name) and the machine's own names. The port
    is not compared, because it differs behind a tunnel.
    """

    def __init__(self, application: Application, host: str) -> None:
        """Wraps an application of a server that was started for ``host``."""
        self._application = application
        self._any_address = _address(host) in _WILDCARDS
        names = {host.strip("[]").lower()}
        if self._any_address or is_loopback(host):
            names |= {"localhost", "127.0.0.1", "::1"}
        if self._any_address:
            names |= {socket.gethostname().lower(), socket.getfqdn().lower()}
        self._names = names

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answers one request."""
        asked_for, origin = environ.get("HTTP_HOST", ""), environ.get("HTTP_ORIGIN")
        if not self._is_own(asked_for):
            reason = "is not a host of this server: open the address that `quantsim dashboard` shows, or start it with --host"
            return _refuse(start_response, "421 Misdirected Request", f"{_shown(asked_for)} {reason}")
        if origin is not None and origin.lower().partition("://")[2] != asked_for.lower():
            return _refuse(start_response, "403 Forbidden", f"pages of {_shown(origin)} may not use this server")
        return self._application(environ, start_response)

    def _is_own(self, authority: str) -> bool:
        found = _AUTHORITY.fullmatch(authority)
        if found is None:
            return False
        name = found[1].strip("[]").lower()
        return name in self._names or (self._any_address and _address(name) is not None)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a host."""
    address = _address(host)
    return host.lower() == "localhost" or (address is not None and address.is_loopback)


def url_host(host: str) -> str:
    """Returns the host as part of a URL, with IPv6 addresses in brackets."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


_WILDCARDS = (ipaddress.ip_address("0.0.0.0"), ipaddress.ip_address("::"))  # noqa: S104 - only compared


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def _shown(text: str) -> str:
    """Returns a client's text for a message: ASCII, and at most 100 characters."""
    return ascii(text[:100]) if text else "a request without a host"


def _refuse(start_response: Callable[..., Any], status: str, message: str) -> Iterable[bytes]:
    body = f"{message}\n".encode()
    start_response(status, [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))])
    return [body]
