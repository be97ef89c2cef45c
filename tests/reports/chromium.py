"""A headless Chromium driven over its DevTools pipe, for tests and benchmarks of pages."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--remote-debugging-pipe",
    # No page of a report may need a network; with this a request would fail at once.
    "--host-resolver-rules=MAP * ~NOTFOUND",
)


def find_chromium() -> str | None:
    """Return the program of an installed Chromium or Chrome."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if (found := shutil.which(name))), None)


class Chromium:
    """One browser with one page; a context that ends the browser and removes its profile.

    The browser reads commands on file descriptor 3 and answers on 4, JSON ended by a zero byte
    (Chromium's ``--remote-debugging-pipe``).
    """

    def __init__(self, program: str, *, width: int = 1440, height: int = 900) -> None:
        """Start the browser with an empty profile of its own."""
        self.profile = tempfile.mkdtemp(prefix="chromium-")
        read_commands, self.write_end = os.pipe()
        self.read_end, write_answers = os.pipe()

        def place() -> None:
            # First out of the way of 3 and 4, then onto them.
            commands, answers = os.dup(read_commands), os.dup(write_answers)
            high_commands, high_answers = os.dup2(commands, 30), os.dup2(answers, 31)
            os.dup2(high_commands, 3)
            os.dup2(high_answers, 4)

        self.process = subprocess.Popen(
            [
                program,
                *FLAGS,
                f"--window-size={width},{height}",
                f"--user-data-dir={self.profile}",
                "about:blank",
            ],
            preexec_fn=place,
            close_fds=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(read_commands)
        os.close(write_answers)
        self.buffer = b""
        self.number = 0
        self.events: list[dict[str, Any]] = []
        targets = self.send("Target.getTargets", browser=True)["targetInfos"]
        page = next(t["targetId"] for t in targets if t["type"] == "page")
        attached = self.send("Target.attachToTarget", browser=True, targetId=page, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Performance"):
            self.send(f"{domain}.enable")
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def __enter__(self) -> Chromium:
        """Return the browser."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the browser."""
        self.close()

    def close(self) -> None:
        """Ask the browser to end, and see to it that it does."""
        with suppress(OSError, TimeoutError):
            self.send("Browser.close", browser=True)
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.write_end)
        os.close(self.read_end)
        shutil.rmtree(self.profile, ignore_errors=True)

    def send(
        self, method: str, *, browser: bool = False, limit_s: float = 60.0, **parameters: Any
    ) -> Any:
        """Send a command to the page (or to the browser itself) and return its result."""
        self.number += 1
        command: dict[str, Any] = {"id": self.number, "method": method, "params": parameters}
        if not browser:
            command["sessionId"] = self.session
        os.write(self.write_end, json.dumps(command).encode() + b"\0")
        end = time.monotonic() + limit_s
        while True:
            message = self._receive(end)
            if message.get("id") == self.number:
                if "error" in message:
                    msg = f"{method}: {message['error']['message']}"
                    raise RuntimeError(msg)
                return message["result"]
            self.events.append(message)

    def _receive(self, end: float) -> dict[str, Any]:
        """Return the next message; raises `TimeoutError` at ``end``."""
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.read_end], [], [], max(0.0, end - time.monotonic()))
            read = os.read(self.read_end, 1 << 20) if ready else b""
            if not read:
                msg = "Chromium did not answer"
                raise TimeoutError(msg)
            self.buffer += read
        message, self.buffer = self.buffer.split(b"\0", 1)
        answer: dict[str, Any] = json.loads(message)
        return answer

    def open(self, page: Path, fragment: str = "") -> float:
        """Open a page of a report and wait until its list is painted; return the seconds taken.

        The time is by this process's clock, from the command to the answer, on a page that was
        not open before.
        """
        self.send("Page.navigate", url="about:blank")
        begin = time.monotonic()
        self.send("Page.navigate", url=page.resolve().as_uri() + fragment)
        self.run(
            "new Promise((done) => { const look = () => globalThis.cryoverdict?.page "
            "? cryoverdict.page.opened.then(done) : setTimeout(look, 2); look(); })"
        )
        return time.monotonic() - begin

    def run(self, script: str, limit_s: float = 60.0) -> Any:
        """Return the value of a script's last expression, waited for where it is a promise."""
        answer = self.send(
            "Runtime.evaluate",
            limit_s=limit_s,
            expression=script,
            awaitPromise=True,
            returnByValue=True,
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"].get("description", answer))
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press a key, and wait until the page has drawn what it does."""
        text = key if len(key) == 1 else ""
        for kind in ("keyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=key, text=text)
        self.settle()

    def click(self, selector: str) -> None:
        """Click an element, and wait until the page has drawn what it does."""
        self.run(f"document.querySelector({json.dumps(selector)}).click()")
        self.settle()

    def settle(self) -> None:
        """Wait until scripts that were asked for have run and two frames are drawn."""
        self.run(
            "Promise.resolve(globalThis.cryoverdict?.page?.idle()).then(() => new Promise("
            "(done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true)))))"
        )

    def photograph(self, path: Path, *, whole: bool = False) -> None:
        """Write a picture of the window (or of the whole page) as PNG."""
        shot = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def faults(self) -> list[str]:
        """Return errors that scripts, policies and missing files have caused so far."""
        found = []
        for event in self.events:
            details = event.get("params", {})
            if event.get("method") == "Runtime.exceptionThrown":
                found.append(str(details["exceptionDetails"]))
            if event.get("method") == "Log.entryAdded" and details["entry"]["level"] == "error":
                found.append(details["entry"]["text"])
        return found

    def requests(self) -> list[str]:
        """Return the addresses that were asked for so far."""
        return [
            event["params"]["request"]["url"]
            for event in self.events
            if event.get("method") == "Network.requestWillBeSent"
        ]
