"""A headless Chromium, driven through its DevTools protocol over two pipes: no library, no port, no download."""

import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--headless",
    "--remote-debugging-pipe",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
)
_PATIENCE = 60


def chromium():
    """Return the path of Chromium; skip the test where it is absent, but never in continuous integration."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        message = f"no {' or '.join(_NAMES)} to open the page with"
        pytest.fail(f"{message}; install Debian's chromium") if os.environ.get("CI") else pytest.skip(message)
    return found


@contextmanager
def started():
    """Yield a running browser."""
    program = chromium()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        to_browser, from_us = _pipe()
        to_us, from_browser = _pipe()
        # The protocol wants descriptors 3 and 4, which Popen cannot give.
        give = f'exec "$@" 3<&{to_browser} 4>&{from_browser}'
        command = ["bash", "-c", give, "bash", program, *_FLAGS, f"--user-data-dir={folder}", "about:blank"]
        process = subprocess.Popen(command, pass_fds=(to_browser, from_browser), stderr=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)
        try:
            browser = Browser(from_us, to_us)
            yield browser
            browser.call("Browser.close")
            process.wait(_PATIENCE)
        finally:
            process.kill()
            process.wait()
            os.close(from_us)
            os.close(to_us)


def _pipe():
    """Return the two ends of a pipe, away from the descriptors that the browser is to have."""
    ends = os.pipe()
    high = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends)
    for end in ends:
        os.close(end)
    return high


class Browser:
    """Calls and the events that came while waiting for their answers."""

    def __init__(self, write, read):
        self._write, self._read = write, read
        self._buffer = b""
        self._calls = 0
        self.events = []

    def call(self, method, session=None, **parameters):
        self._calls += 1
        message = {"id": self._calls, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        number = self._calls
        answer = self._until(lambda message: message.get("id") == number, method)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def wait(self, method, session):
        """Wait for an event that has not come yet, and return its parameters."""
        return self._until(lambda m: m.get("method") == method and m.get("sessionId") == session, method)["params"]

    def _until(self, wanted, what):
        deadline = time.monotonic() + _PATIENCE
        while True:
            message = self._next(deadline, what)
            if "method" in message:
                self.events.append(message)
            if wanted(message):
                return message

    def _next(self, deadline, what):
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"the browser said nothing for {_PATIENCE} s after {what}"
            received = os.read(self._read, 1 << 20)
            assert received, f"the browser ended at {what}"
            self._buffer += received
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def open(self, url, *, width=1280, height=900, scheme="light"):
        """Open a page in a fresh tab and wait until it is loaded."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        page = Page(self, self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"], target)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.call(f"{domain}.enable")
        page.resize(width, height)
        page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        page.call("Page.navigate", url=url)
        self.wait("Page.loadEventFired", page.session)
        return page


class Page:
    """One tab."""

    def __init__(self, browser, session, target):
        self.browser, self.session, self.target = browser, session, target

    def call(self, method, **parameters):
        return self.browser.call(method, self.session, **parameters)

    def close(self):
        self.browser.call("Target.closeTarget", targetId=self.target)

    def resize(self, width, height=900):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def run(self, expression):
        """Return the value of an expression, of its promise if it is one."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key, code):
        for kind in ("keyDown", "keyUp"):
            text = {"text": "\r"} if key == "Enter" and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **text)

    def complaints(self):
        """Return what the console says: messages, exceptions, and whatever the browser itself objects to."""
        kinds = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        return [event["params"] for event in self._events() if event["method"] in kinds]

    def requests(self):
        """Return the addresses that the page asked for."""
        sent = (event for event in self._events() if event["method"] == "Network.requestWillBeSent")
        return [event["params"]["request"]["url"] for event in sent]

    def _events(self):
        return [event for event in self.browser.events if event.get("sessionId") == self.session]
