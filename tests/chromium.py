"""Debian's Chromium, with which the tests look at pages."""

import os
import shutil
from base64 import b64decode
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import ChromeOptions, Remote
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.servers import ChromeDriver

_CHROMIUM = "/usr/bin/chromium"
_DRIVER = "/usr/bin/chromedriver"
_FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1600,900"),
    # Nothing but the page is asked for.
    *("--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
)
_PATIENCE_SECONDS = 30
_SCRIPT_SECONDS = 300
_TALLEST = 6_000
"""Pixels of a picture."""
_COLOURS = 128
_AXE = (
    # The styles are the pages' own, so axe need not load them a second time.
    "return axe.run(document, {resultTypes: ['violations'], preload: false, ...arguments[0]})"
    ".then((found) => found.violations);"
)


class Browser:
    """Chromium, and where its pictures go."""

    def __init__(self, chrome: Remote, pictures: Path) -> None:
        self.chrome = chrome
        # On a busy machine, axe takes longer than the half minute that is allowed by default.
        chrome.set_script_timeout(_SCRIPT_SECONDS)
        self._pictures = pictures
        commands: Any = chrome.command_executor
        commands.add_command("cdp", "POST", "/session/$sessionId/goog/cdp/execute")
        commands.add_command("log", "POST", "/session/$sessionId/se/log")

    def wait_for(self, words: str) -> None:
        self.wait_until(lambda: words in self.text)

    def wait_until(self, condition: Callable[[], object]) -> None:
        """Wait, also while the page is exchanged."""
        waiting = WebDriverWait(
            self.chrome, _PATIENCE_SECONDS, ignored_exceptions=[StaleElementReferenceException]
        )
        waiting.until(lambda _: condition())

    @property
    def text(self) -> str:
        return self.chrome.find_element(By.TAG_NAME, "body").text

    def photograph(self, name: str) -> None:
        """Keep a picture of what the window shows."""
        assert self.chrome.save_screenshot(str(self._pictures / f"{name}.png"))

    def show(self, width: int, scheme: str) -> None:
        """Show pages in a window of this width, in the light or the dark scheme."""
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self._cdp("Emulation.setDeviceMetricsOverride", **metrics)
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self._cdp("Emulation.setEmulatedMedia", features=[feature])

    @property
    def keeps_pictures(self) -> bool:
        """Whether pictures of whole pages are wanted."""
        return bool(os.environ.get("ARTIFACTS_PICTURES"))

    def photograph_page(self, name: str, width: int) -> None:
        """Keep a small picture of the whole page, if pictures are wanted."""
        if not self.keeps_pictures:
            return
        height = self.chrome.execute_script("return document.documentElement.scrollHeight")
        clip = {"x": 0, "y": 0, "width": width, "height": min(height, _TALLEST), "scale": 1}
        taken = self._cdp("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        picture = Image.open(BytesIO(b64decode(taken["data"]))).convert("RGB")
        small = picture.quantize(_COLOURS, kmeans=2, dither=Image.Dither.NONE)
        small.save(self._pictures / f"{name}.png", optimize=True)

    def violations(self, rules: Collection[str] = ()) -> list[str]:
        """Return what axe-core finds wrong for people with disabilities.

        Args: `rules` that are checked; by default all.
        """
        if not self.chrome.execute_script("return 'axe' in window"):
            self.chrome.execute_script((files("axe_core_python") / "axe.min.js").read_text())
        found: list[dict[str, Any]] = self.chrome.execute_script(
            _AXE, {"runOnly": list(rules)} if rules else {}
        )
        return [
            f"{each['id']}: {node['html'][:200]}: {node['failureSummary']}"
            for each in found
            for node in each["nodes"]
        ]

    def is_wider_than_the_window(self) -> bool:
        """Return whether the page scrolls sideways."""
        root = "document.documentElement"
        return bool(self.chrome.execute_script(f"return {root}.scrollWidth > innerWidth"))

    def complaints(self, expected: Collection[str] = ()) -> list[str]:
        """Return what the browser has refused or failed to do since the last question.

        Args: `expected` parts of those that are left out.
        """
        logged = self.chrome.execute("log", {"type": "browser"})["value"]
        messages = [f"{each['level']}: {each['message']}" for each in logged]
        return [each for each in messages if not any(part in each for part in expected)]

    def _cdp(self, command: str, **parameters: object) -> Any:
        answer = self.chrome.execute("cdp", {"cmd": command, "params": parameters})
        return answer["value"]


@contextmanager
def browsing(directory: Path) -> Iterator[Browser]:
    """Start a browser. Args: `directory` for all that it keeps."""
    if not shutil.which(_CHROMIUM) or not shutil.which(_DRIVER):
        missing = "CHROMIUM IS MISSING, so the pages were not tested: make chromium, as root"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    options = ChromeOptions()
    options.binary_location = _CHROMIUM
    for flag in (*_FLAGS, f"--user-data-dir={directory / 'profile'}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    pictures = Path(os.environ.get("ARTIFACTS_PICTURES") or directory)
    with (
        ChromeDriver(directory, _DRIVER) as driver,
        Remote(driver.url, options=options) as chrome,
    ):
        yield Browser(chrome, pictures)
