"""Which requests the dashboard answers: over a socket, as any page in a browser could make them."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from wsgiref.simple_server import WSGIServer

import pytest
from dashboard_support import serving
from optuna import create_study
from optuna.storages import BaseStorage

from quantsim.dashboard.hosts import HostCheck, is_loopback, url_host
from quantsim.dashboard.server import dashboard_server
from quantsim.storages.opened import opened_storage

pytest.importorskip("optuna_dashboard")

ALL = "0.0.0.0"  # noqa: S104 - nothing is bound to it here
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[BaseStorage]:
    with opened_storage(tmp_path / "studies.journal") as opened:
        create_study(storage=opened, study_name="kept")
        yield opened


@pytest.fixture
def server(storage: BaseStorage) -> Iterator[WSGIServer]:
    """The dashboard on the loopback, as the command starts it."""
    with dashboard_server(storage, None, "127.0.0.1", 0) as found, serving(found):
        yield found


def status(
    server: WSGIServer, host: str | None, method: str = "GET", path: str = "/api/studies", **headers: str
) -> int:
    """Of the answer to one request; ``host`` is what the header says, whatever the connection is to."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    try:
        connection.putrequest(method, path, skip_host=True)
        body = (
            b""
            if method in ("GET", "DELETE")
            else json.dumps({"study_name": "new", "directions": ["minimize"]}).encode()
        )
        for name, value in {"Host": host, "Content-Length": str(len(body)), **JSON, **headers}.items():
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders(body)
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize(
    "host", ["127.0.0.1:{port}", "localhost:{port}", "LOCALHOST", "[::1]:{port}", "127.0.0.1:9999"]
)
def test_its_own_host_is_answered(server, host):
    assert status(server, host.format(port=server.server_port)) == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/dashboard"),
        ("GET", "/static/bundle.js"),
        ("GET", "/api/meta"),
        ("GET", "/api/studies"),
        ("GET", "/api/studies/0"),
        ("GET", "/csv/0"),
        ("POST", "/api/studies"),
        ("POST", "/api/studies/0/rename"),
        ("PUT", "/api/studies/0/note"),
        ("DELETE", "/api/studies/0"),
        ("OPTIONS", "/api/studies/0"),
    ],
)
def test_every_route_refuses_another_host(server, storage, method, path):
    for host in ("evil.example", f"evil.example:{server.server_port}", "127.0.0.1.evil.example"):
        assert status(server, host, method, path) == 421
    assert [study.study_name for study in storage.get_all_studies()] == ["kept"]


@pytest.mark.parametrize(
    "host", [None, "", "127.0.0.1:", "127.0.0.1:x", "localhost evil", "user@localhost", "[::1", "2130706433"]
)
def test_invalid_hosts_are_refused(server, host):
    assert status(server, host) == 421


def test_pages_of_other_sites_may_not_use_it(server, storage):
    own = f"127.0.0.1:{server.server_port}"
    for origin in ("http://evil.example", "null", "http://localhost:3000", f"http://localhost:{server.server_port}"):
        assert status(server, own, "DELETE", "/api/studies/0", Origin=origin) == 403
    assert len(storage.get_all_studies()) == 1
    assert status(server, own, "DELETE", "/api/studies/0", Origin=f"http://{own}") == 204
    assert storage.get_all_studies() == []


@pytest.mark.parametrize(
    ("started_for", "own", "others"),
    [
        ("::1", ["[::1]:80", "localhost", "127.0.0.1"], ["[::2]", "evil.example"]),
        ("localhost", ["localhost:1", "127.0.0.1", "[::1]"], ["evil.example", "192.168.1.7"]),
        ("127.0.0.2", ["127.0.0.2", "localhost"], ["127.0.0.3"]),
        ("192.168.1.7", ["192.168.1.7:8080"], ["localhost", "192.168.1.8", "evil.example"]),
        ("lab.example", ["lab.example", "LAB.example:8080"], ["localhost", "evil.example"]),
        (ALL, ["192.168.1.7", "[fe80::1]:8080", "localhost"], ["evil.example", "1.2.3.4.evil.example"]),
        ("::", ["192.168.1.7", "localhost:1"], ["evil.example"]),
    ],
)
def test_accepted_names_of_the_host(started_for, own, others):
    check = HostCheck(lambda _environ, _start: [b"passed"], started_for)

    def answers(host: str) -> bool:
        return list(check({"HTTP_HOST": host}, lambda _status, _headers: None)) == [b"passed"]

    assert [host for host in own if not answers(host)] == []
    assert [host for host in others if answers(host)] == []


def test_addresses_of_the_sixth_version_are_served(storage):
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6")
    with dashboard_server(storage, None, "::1", 0) as found:
        assert found.server_address[0] == "::1"
    assert url_host("::1") == "[::1]"
    assert is_loopback("::1")
    assert not is_loopback("192.168.1.7")
