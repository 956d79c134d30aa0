"""Debian's Chromium, driven through its debugging pipe: what a page asks for, and how wide it is."""

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe"),
    # Nothing but the page itself may ask for anything.
    *("--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update"),
    "--disable-sync",
)
DESKTOP, PHONE = (1280, 900), (390, 844)


def find_chromium():
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def _above(descriptor):
    """The same pipe under a number that the browser does not use for another."""
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD, 10)
    os.close(descriptor)
    return moved


class Chromium:
    """One browser with one tab."""

    def __init__(self, profile: Path) -> None:
        told, self._write = os.pipe()
        self._read, answers = os.pipe()
        told, answers = _above(told), _above(answers)
        command = [find_chromium(), *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        # The browser listens on 3 and answers on 4.
        shell = f'exec "$@" 3<&{told} 4>&{answers}'
        self._process = subprocess.Popen(
            ["bash", "-c", shell, "bash", *command],
            pass_fds=(told, answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(told)
        os.close(answers)
        self._rest = b""
        self._number = 0
        self._session = None
        self.events = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.ask(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self._session = None
            self._send("Browser.close", {})
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._write)
        os.close(self._read)

    def ask(self, method, **parameters):
        """The result of one command; events that come first are kept."""
        number = self._send(method, parameters)
        while True:
            message = self._next()
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]
            self.events.append(message)

    def open(self, page: Path, size=DESKTOP, *, scripts=True, dark=False, print_=False):
        """Load a page from its path in a window of a size, to the end."""
        width, height = size
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        self.ask("Emulation.setScriptExecutionDisabled", value=not scripts)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", media="print" if print_ else "", features=[scheme])
        self.events.clear()
        self.ask("Page.navigate", url=page.as_uri())
        self._wait_for("Page.loadEventFired")
        time.sleep(0.3)
        self.value("0") if scripts else self.ask("Page.getLayoutMetrics")

    def value(self, expression):
        """What an expression is on the page."""
        result = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def requests(self):
        """Every address that was asked for since the page was opened."""
        return [
            message["params"]["request"]["url"]
            for message in self.events
            if message.get("method") == "Network.requestWillBeSent"
        ]

    def complaints(self):
        """What the browser had to say: violations, errors."""
        return [
            message for message in self.events if message.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown")
        ]

    def content_size(self):
        """Width and height of the whole page."""
        size = self.ask("Page.getLayoutMetrics")["cssContentSize"]
        return size["width"], size["height"]

    def _wait_for(self, method):
        while not any(message.get("method") == method for message in self.events):
            self.events.append(self._next())

    def _send(self, method, parameters):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        return self._number

    def _next(self):
        while b"\0" not in self._rest:
            data = os.read(self._read, 1 << 20)
            if not data:
                raise EOFError("the browser has gone")
            self._rest += data
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)
