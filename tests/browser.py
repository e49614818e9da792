"""Chromium for the tests: one browser per session, driven from a thread of its own.

Playwright's synchronous interface keeps an asyncio loop running in the thread that uses it, in which
`asyncio.run` raises. So the browser has its own thread, and a test hands it work with `Tab.call`.
"""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

import pytest
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, BrowserContext, Dialog, Page

Result = TypeVar("Result")

CHROMIUM_ARGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# JupyterLab raises it where a kernel ends before it has answered JupyterLab's question for a subshell.
JUPYTERLABS_OWN = "Canceled future for create_subshell_request"

PAGE = b"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>locus_nb</title><link rel="icon" href="data:,">
<link rel="stylesheet" href="/live.css"><script type="module">
import { leftovers } from "/page.js";
leftovers.watch();
window.ready = true;
</script></head><body></body></html>
"""


def chromium_path() -> str:
    """Where Chromium is; FileNotFoundError without one."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        raise FileNotFoundError(
            "No page was opened: Chromium is not on the PATH. Install it (Debian: apt-get install chromium)."
        )
    return path


class Tab:
    """One page in a context of its own; every call runs in the browser's thread."""

    def __init__(self, chromium: Chromium, context: BrowserContext, page: Page) -> None:
        self._chromium = chromium
        self._context = context
        self._page = page
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self._note(str(error)))
        page.on("dialog", self._refuse)

    def _note(self, error: str) -> None:
        if JUPYTERLABS_OWN not in error:
            self.errors.append(error)

    def _refuse(self, dialog: Dialog) -> None:
        self.errors.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def call(self, work: Callable[[Page], Result]) -> Result:
        """What `work` makes of the playwright page, in the browser's thread."""
        return self._chromium.call(lambda: work(self._page))

    def evaluate(self, script: str, argument: object = None) -> Any:
        """The value of a script in the page, awaited if it is a promise."""
        return self.call(lambda page: page.evaluate(script, argument))

    def wait(self, condition: str, argument: object = None, *, timeout: float = 30) -> None:
        """Waits until a condition holds in the page; playwright's TimeoutError after `timeout` seconds."""
        self.call(lambda page: page.wait_for_function(condition, arg=argument, timeout=timeout * 1000))

    def click(self, selector: str) -> None:
        """Clicks the one element that the selector names."""
        self.call(lambda page: page.click(selector))

    def press(self, key: str) -> None:
        """Presses a key where the focus is."""
        self.call(lambda page: page.keyboard.press(key))

    def screenshot(self, path: Path, selector: str | None = None) -> None:
        """Writes a picture as PNG: of what is in sight, or of the first element that the selector names."""
        if selector is None:
            self.call(lambda page: page.screenshot(path=path))
        else:
            self.call(lambda page: page.locator(selector).first.screenshot(path=path))

    def close(self) -> None:
        """Closes the page and its context."""
        self._chromium.call(self._context.close)


class Chromium:
    """A headless Chromium and the thread it is driven from; close it, or leave its `with`."""

    def __init__(self, *args: str) -> None:
        path = chromium_path()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="chromium")
        self._browser: Browser = self.call(lambda: self._launch(path, [*CHROMIUM_ARGS, *args]))

    def _launch(self, path: str, args: list[str]) -> Browser:
        self._playwright = sync_playwright().start()
        return self._playwright.chromium.launch(executable_path=path, args=args)

    def call(self, work: Callable[[], Result]) -> Result:
        """What `work` returns or raises, in the browser's thread."""
        return self._thread.submit(work).result()

    def tab(self, url: str, **options: Any) -> Tab:
        """A new tab at `url`; the options go to playwright's `new_context`."""
        return self.call(lambda: self._tab(url, options))

    def _tab(self, url: str, options: dict[str, Any]) -> Tab:
        context = self._browser.new_context(**options)
        page = context.new_page()
        tab = Tab(self, context, page)
        page.goto(url)
        return tab

    def close(self) -> None:
        """Ends the browser and its thread."""
        self.call(self._browser.close)
        self.call(self._playwright.stop)
        self._thread.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _PageHandler(BaseHTTPRequestHandler):
    types: ClassVar[dict[str, str]] = {".js": "text/javascript", ".css": "text/css"}

    def do_GET(self) -> None:
        body = self._body()
        self.send_response(HTTPStatus.NOT_FOUND if body is None else HTTPStatus.OK)
        self.send_header("Content-Type", self.types.get(Path(self.path).suffix, "text/html; charset=utf-8"))
        self.end_headers()
        self.wfile.write(body or b"")

    def _body(self) -> bytes | None:
        if self.path == "/":
            return PAGE
        if self.path == "/page.js":
            return Path(__file__).with_name("js").joinpath("page.js").read_bytes()
        if self.path in {"/live.js", "/live.css"}:
            return files("locus_nb").joinpath("static", self.path[1:]).read_bytes()
        folder, _, name = self.path[1:].partition("/")
        module = files("locus_nb").joinpath("page", name)
        if folder == "page" and name.endswith(".js") and "/" not in name and module.is_file():
            return module.read_bytes()
        return None

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Says nothing: a request is no news."""


class PageServer:
    """Serves the shipped views, their modules and the stand-in for anywidget on a free loopback port."""

    def __init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _PageHandler)
        self._thread = Thread(target=self._server.serve_forever, name="page-server", daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def close(self) -> None:
        """Stops serving and frees the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """One Chromium for the whole session; without one the test is skipped, which is a failure in CI."""
    try:
        browser = Chromium()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    with browser:
        yield browser


@pytest.fixture(scope="session")
def page_url() -> Iterator[str]:
    """The address of a page with the shipped views' files and a stand-in for anywidget."""
    with PageServer() as server:
        yield server.url


@pytest.fixture
def chromium_page(chromium: Chromium, page_url: str) -> Iterator[Tab]:
    """A fresh tab on that page; an error or a dialog in the page fails the test."""
    tab = chromium.tab(page_url, viewport={"width": 900, "height": 700}, timezone_id="UTC")
    tab.wait("() => window.ready")
    yield tab
    tab.close()
    assert tab.errors == []
