"""A headless Chromium, driven by chromedriver over HTTP (W3C WebDriver)."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

FLAGS = (
    "--headless=new",
    "--no-sandbox",  # it cannot be had as root
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--window-size=1400,1000",
)
WAIT_S = 20.0


class Browser:
    """One page."""

    def __init__(self, driver: str, session: str) -> None:
        self._driver, self._session = driver, session

    def open(self, url: str) -> None:
        """Goes there, and waits until the page is loaded."""
        self._command("url", {"url": url})

    def script(self, body: str) -> Any:
        """What the body of a function returns on the page."""
        return self._command("execute/sync", {"script": body, "args": []})

    def wait_for(self, expression: str, what: str) -> Any:
        """The expression's value as soon as it is true; ``what`` says for whom it waits where that never comes."""
        until = time.monotonic() + WAIT_S
        while not (value := self.script(f"return {expression}")):
            if time.monotonic() > until:
                text = self.script("return document.body.innerText")
                raise AssertionError(f"{what}: nothing within {WAIT_S:g} s; the page says:\n{text[:2000]}")
            time.sleep(0.1)
        return value

    def click(self, xpath: str) -> None:
        """Clicks on the first such element, as a mouse would: it fails where something else lies above."""
        (reference,) = self._command("element", {"using": "xpath", "value": xpath}).values()
        self._command(f"element/{reference}/click", {})

    def resize(self, width: int, height: int, *, phone: bool = False, dark: bool = False) -> None:
        """Shows pages as on a screen of this size, in light or dark colours."""
        self.devtools(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.devtools("Emulation.setEmulatedMedia", features=[scheme])

    def devtools(self, command: str, **parameters: Any) -> Any:
        """The answer to a command of the DevTools protocol."""
        return self._command("goog/cdp/execute", {"cmd": command, "params": parameters})

    def console(self) -> list[str]:
        """Warnings and errors since the last call."""
        return [one["message"] for one in self._command("se/log", {"type": "browser"}) if one["level"] != "INFO"]

    def requests(self) -> list[str]:
        """Addresses that pages have asked for since the last call, whether they were answered or not."""
        messages = [json.loads(one["message"])["message"] for one in self._command("se/log", {"type": "performance"})]
        return [one["params"]["request"]["url"] for one in messages if one["method"] == "Network.requestWillBeSent"]

    def picture(self) -> bytes:
        """PNG of the page, for whoever looks into a failure."""
        return base64.b64decode(self._command("screenshot"))

    def _command(self, name: str, body: dict[str, Any] | None = None) -> Any:
        return _request(f"{self._driver}/session/{self._session}/{name}", body)


def _request(url: str, body: dict[str, Any] | None = None, method: str | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        with error:
            raise AssertionError(f"{url}: {error.read().decode()[:1000]}") from error


@contextlib.contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """A Chromium with a fresh profile in that folder; skips the test where there is none, or no driver."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    chromedriver = shutil.which("chromedriver")
    if chromium is None or chromedriver is None:
        pytest.skip("no browser: install chromium and chromedriver (Debian: chromium, chromium-driver)")
    with subprocess.Popen([chromedriver, "--port=0"], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = next(
                found[1] for line in process.stdout if (found := re.search(r"successfully on port (\d+)", line))
            )
            driver = f"http://127.0.0.1:{port}"
            options = {"binary": chromium, "args": [*FLAGS, f"--user-data-dir={profile}"]}
            logs = {"browser": "ALL", "performance": "ALL"}
            wanted = {
                "alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": logs}
            }
            session = _request(f"{driver}/session", {"capabilities": wanted})["sessionId"]
            try:
                yield Browser(driver, session)
            finally:
                _request(f"{driver}/session/{session}", method="DELETE")
        finally:
            process.terminate()
