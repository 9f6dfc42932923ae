"""A headless Chromium, driven by its own protocol over a pipe, so that no package is needed for it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
"""The browser of this machine; None where there is none."""


class Page:
    """One page of a browser."""

    def __init__(self, read: Any, write: Any) -> None:
        self._read, self._write, self._count = read, write, 0
        self.said: list[str] = []
        """What the page wrote to its console, and its errors."""
        self.asked: list[str] = []
        """Addresses that it asked for."""
        target = self._call("Target.createTarget", {"url": "about:blank"})["targetId"]
        self._session = self._call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Return what a method of the protocol answers."""
        return self._call(method, parameters, self._session)

    def open(self, path: Path, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Open a file at a size, and wait until it is loaded."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=path.as_uri())
        self._until("Page.loadEventFired")

    def run(self, script: str) -> Any:
        """Return the value of an expression, which may be a promise."""
        done = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def frame(self) -> None:
        """Wait until the page has drawn what it has to draw."""
        self.run("new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go))).then(() => 0)")

    def mouse(self, sort: str, x: float, y: float) -> None:
        """Move, press or release the mouse: ``mouseMoved``, ``mousePressed``, ``mouseReleased``."""
        held = sort != "mouseMoved"
        self.call(
            "Input.dispatchMouseEvent", type=sort, x=x, y=y, button="left" if held else "none", clickCount=int(held)
        )

    def key(self, name: str, text: str = "") -> None:
        """Press a key."""
        said = {"key": name, "code": name} | ({"text": text} if text else {})
        codes = {"Enter": 13, "ArrowRight": 39, "ArrowLeft": 37, "Tab": 9}
        said["windowsVirtualKeyCode"] = codes.get(name, ord(name[0]))  # type: ignore[assignment]
        self.call("Input.dispatchKeyEvent", type="keyDown", **said)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=name)

    def _call(self, method: str, parameters: dict[str, Any], session: str | None = None) -> dict[str, Any]:
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters} | (
            {"sessionId": session} if session else {}
        )
        self._write.write(json.dumps(message).encode() + b"\0")
        self._write.flush()
        while True:
            found = self._next()
            if found.get("id") == self._count:
                assert "error" not in found, f"{method}: {found['error']}"
                answer: dict[str, Any] = found["result"]
                return answer

    def _until(self, event: str) -> None:
        while self._next().get("method") != event:
            pass

    def _next(self) -> dict[str, Any]:
        text = bytearray()
        while (byte := self._read.read(1)) != b"\0":
            assert byte, "the browser has gone"
            text += byte
        found: dict[str, Any] = json.loads(text)
        about = found.get("params", {})
        if found.get("method") == "Runtime.consoleAPICalled":
            self.said.append(str([each.get("value") for each in about["args"]]))
        elif found.get("method") == "Runtime.exceptionThrown":
            self.said.append(str(about["exceptionDetails"]))
        elif found.get("method") == "Log.entryAdded":
            self.said.append(about["entry"]["text"])
        elif found.get("method") == "Network.requestWillBeSent":
            self.asked.append(about["request"]["url"])
        return found


@contextmanager
def browser(profile: Path) -> Iterator[Page]:
    """Start a browser with a profile folder of its own, and end it."""
    assert CHROMIUM is not None
    ours_in, theirs_out = os.pipe()
    theirs_in, ours_out = os.pipe()
    flags = "--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run --remote-debugging-pipe"
    far = [fcntl.fcntl(each, fcntl.F_DUPFD, 10) for each in (theirs_in, theirs_out)]
    where = f'exec "$@" 3<&{far[0]} 4>&{far[1]}'  # a browser looks for its pipes at 3 and 4
    started = subprocess.Popen(
        ["bash", "-c", where, "bash", CHROMIUM, *flags.split(), f"--user-data-dir={profile}"],
        pass_fds=far,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for each in far:
        os.close(each)
    os.close(theirs_in)
    os.close(theirs_out)
    with os.fdopen(ours_in, "rb") as read, os.fdopen(ours_out, "wb") as write:
        try:
            yield Page(read, write)
        finally:
            started.terminate()
            started.wait(20)
