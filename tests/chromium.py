"""A headless Chromium, spoken to through its pipe: no package needed."""

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
CAMERA = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]  # a test image


class Chromium:
    """Opens one page at a time; `problems` are what it wrote to the console as errors."""

    def __init__(self, profile: Path):
        from_browser, to_us = os.pipe()
        for_browser, from_us = os.pipe()
        # Chromium reads commands from descriptor 3 and writes to 4.
        flags = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--remote-debugging-pipe",
            *CAMERA,
        ]
        redirect = f'exec "$0" "$@" 3<&{for_browser} 4>&{to_us}'
        self._process = subprocess.Popen(
            ["bash", "-c", redirect, PROGRAM, *flags, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=[for_browser, to_us],
            stderr=subprocess.DEVNULL,
        )
        os.close(for_browser)
        os.close(to_us)
        self._to, self._from = os.fdopen(from_us, "wb", 0), os.fdopen(from_browser, "rb")
        self._calls, self._buffer, self.problems = 0, b"", []
        self._own = "file:"  # how addresses begin that a page may ask for
        self._session: str | None = None
        targets = self._call("Target.getTargets")["targetInfos"]
        page = next(each["targetId"] for each in targets if each["type"] == "page")
        self._session = self._call("Target.attachToTarget", targetId=page, flatten=True)[
            "sessionId"
        ]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")

    def open(self, page: Path | str, width: int = 1400, scheme: str = "light") -> None:
        """Opens a file, or the page of a server, which may ask that server alone."""
        url = page.resolve().as_uri() if isinstance(page, Path) else page
        self._own = "file:" if isinstance(page, Path) else url
        self._call(
            "Emulation.setDeviceMetricsOverride",
            **{"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600},
        )
        scheme = [{"name": "prefers-color-scheme", "value": scheme}]
        self._call("Emulation.setEmulatedMedia", features=scheme)
        self._call("Page.navigate", url=url)
        while self._read().get("method") != "Page.loadEventFired":
            pass

    def run(self, script: str) -> Any:
        """Returns the value of an expression in the page, or what its promise comes to."""
        done = self._call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def screenshot(self, file: Path, whole: bool = True) -> None:
        shot = self._call("Page.captureScreenshot", captureBeyondViewport=whole, format="png")
        file.write_bytes(base64.b64decode(shot["data"]))

    def close(self) -> None:
        self._call("Browser.close")
        self._process.wait(20)
        self._to.close()
        self._from.close()

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._calls += 1
        message = {"id": self._calls, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._to.write(json.dumps(message).encode() + b"\0")
        while (answer := self._read()).get("id") != self._calls:
            pass
        assert "error" not in answer, answer
        return answer["result"]

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            piece = os.read(self._from.fileno(), 1 << 16)
            assert piece, "Chromium has ended"
            self._buffer += piece
        message, self._buffer = self._buffer.split(b"\0", 1)
        event = json.loads(message)
        self._note(event.get("method"), event.get("params", {}))
        return event

    def _note(self, method: str | None, about: dict[str, Any]) -> None:
        if method == "Runtime.exceptionThrown":
            self.problems.append(about["exceptionDetails"]["text"])
        elif method == "Runtime.consoleAPICalled" and about["type"] in ("error", "warning"):
            self.problems.append(str(about["args"]))
        elif method == "Log.entryAdded" and about["entry"]["level"] == "error":
            self.problems.append(about["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            url = about["request"]["url"]
            if not url.startswith((self._own, "data:", "blob:")):
                self.problems.append(f"asked the network for {url}")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """Starts a browser; skips where there is none."""
    if PROGRAM is None:
        pytest.skip("needs Chromium, which is not on this machine")
    started = Chromium(tmp_path_factory.mktemp("profile"))
    yield started
    started.close()
