"""The sandbox's chat page in a real browser, for the tests of it: what is seen, and by whom."""

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from playwright.async_api import (
    ConsoleMessage,
    Error,
    FilePayload,
    Locator,
    Page,
    Request,
    Route,
    ViewportSize,
)

from sandbox.server import Sandbox
from tests.integration.sandbox.media import photo

WIDE, NARROW, NARROWEST = (1280, 800), (390, 844), (320, 640)
PATIENCE_MS = 60_000
# What the browser itself reports when the server goes while the page is open.
GONE = (
    r"WebSocket connection to 'ws:.*/sim/events' failed: .*|"
    r"Failed to load resource: net::ERR_(CONNECTION_REFUSED|CONNECTION_RESET|EMPTY_RESPONSE) .*"
)
# And what it reports of a message that the server does not take.
REFUSED = r"Failed to load resource: .* status of 400 .*/sim/message"
# Makes a file out of bytes and drops it on the chat.
DROP = """async ([bytes, name, type]) => {
    const data = new DataTransfer();
    data.items.add(new File([new Uint8Array(bytes)], name, {type}));
    const wish = {dataTransfer: data, bubbles: true, cancelable: true};
    const area = document.querySelector('#chat');
    for (const kind of ['dragenter', 'dragover', 'drop']) {
        area.dispatchEvent(new DragEvent(kind, wish));
    }
}"""


def jpeg(name: str = "me.jpg", seed: int = 0) -> FilePayload:
    """A photo to choose."""
    return FilePayload(name=name, mimeType="image/jpeg", buffer=photo(seed=seed))


@dataclass
class Screen:
    """The page of one person, and whatever went wrong in it."""

    page: Page
    url: str
    wrong: list[str]

    def at(self, name: str) -> Locator:
        """The element with this mark for tests."""
        return self.page.get_by_test_id(name)

    def message(self, number: int) -> Locator:
        """The bubble of a message."""
        return self.page.locator(f"[data-message-id='{number}']")

    def text(self, text: str) -> Locator:
        """What is written among the messages."""
        return self.page.locator("#timeline").get_by_text(text)

    async def say(self, text: str) -> None:
        """Types and sends."""
        await self.at("composer-input").fill(text)
        await self.at("composer-input").press("Enter")

    def forgive(self, pattern: str) -> None:
        """Leaves out of what went wrong the lines that had to."""
        self.wrong = [line for line in self.wrong if not re.fullmatch(pattern, line)]

    def listen(self) -> None:
        """Notes from now on what goes wrong."""
        self.page.on("pageerror", self._note_error)
        self.page.on("console", self._note_line)
        self.page.on("request", self._note_request)

    def leave(self) -> None:
        """Notes nothing more."""
        self.page.remove_listener("pageerror", self._note_error)
        self.page.remove_listener("console", self._note_line)
        self.page.remove_listener("request", self._note_request)

    def _note_error(self, error: Error) -> None:
        self.wrong.append(str(error))

    def _note_line(self, line: ConsoleMessage) -> None:
        if line.type in {"error", "warning"}:
            self.wrong.append(f"{line.text} {line.location['url']}")

    def _note_request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in {"blob", "data"} and parts.netloc != urlsplit(self.url).netloc:
            self.wrong.append(f"a request to {request.url}")

    async def hold(self, address: str, *, asked: bool = False) -> "Held":
        """Keeps the page's requests to an address waiting; or, once they are asked, the answers."""
        held = Held(asked=asked)
        await self.page.route(f"**{address}", held.take)
        return held

    async def fits(self) -> bool:
        """False if the page can be scrolled sideways."""
        widths = "[document.documentElement.scrollWidth, innerWidth]"
        needed, given = await self.page.evaluate(widths)
        return bool(needed <= given)


class Held:
    """Requests that wait until they are let go, or answers; `is_here` is set once there is one."""

    def __init__(self, *, asked: bool) -> None:
        self.is_here = asyncio.Event()
        self._asked = asked
        self._go = asyncio.Event()

    def let_go(self) -> None:
        """Lets them pass, and those that will come."""
        self._go.set()

    async def take(self, route: Route) -> None:
        """Holds one."""
        early = await route.fetch() if self._asked else None
        self.is_here.set()
        await self._go.wait()
        with suppress(Error):  # the page may have given it up
            if early is None:
                await route.continue_()
            else:
                await route.fulfill(response=early)


class Desktop:
    """A browser with a page for everybody.

    The first page is shown in `tab`, which is there for all tests: a new one costs more time than
    most tests take. A sandbox has a port of its own, and so its page shares nothing with others.
    """

    def __init__(self, tab: Page, sandbox: Sandbox, folder: Path) -> None:
        self._tab = tab
        self._sandbox = sandbox
        self._folder = folder
        self.screens: list[Screen] = []

    async def open(self, size: tuple[int, int] = WIDE, path: str = "/") -> Screen:
        """The page in a window of that size, loaded; after the first, each in a tab of its own."""
        page = await self._tab.context.new_page() if self.screens else self._tab
        await page.set_viewport_size(ViewportSize(width=size[0], height=size[1]))
        screen = Screen(page, self._sandbox.url, [])
        self.screens.append(screen)
        screen.listen()
        await page.goto(f"{self._sandbox.url}{path}")
        await page.locator("[data-chat-id]").first.wait_for(state="attached")
        return screen

    async def close(self) -> None:
        """Leaves the first tab as it was, and closes the others."""
        for screen in self.screens:
            if screen.page is not self._tab:
                await screen.page.close()
                continue
            await screen.page.unroute_all(behavior="ignoreErrors")
            await screen.page.goto("about:blank")
            screen.leave()

    async def photograph(self, screen: Screen, name: str) -> None:
        """Keeps a picture of what is seen, for whoever looks into the test's folder."""
        await screen.page.screenshot(path=self._folder / f"{name}.png")
