"""The person side of the server, as tests use it."""

import asyncio
import time
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import aiohttp

ALICE, BOB, ADMIN = 7, 8, 9
FAMILY = -1001
CLUB = -1002000000002  # the supergroup with topics
PATIENCE_S = 60.0  # with a bot that works beside many others


@dataclass(frozen=True)
class Part:
    """A file that a person sends: a photo, video, animation, video_note, document or sticker."""

    kind: str
    content: bytes
    name: str = ""


class NotPossible(Exception):
    """The server's sentence about something that a person cannot do."""


class Desk:
    """Does what persons do, and looks at what they see. Who acts is Alice, or `user_id`."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = f"{url}/sim"

    async def post(self, act: str, *parts: Part, **values: object) -> Any:
        """One act."""
        form = aiohttp.FormData()
        for name, value in values.items():
            form.add_field(name, str(value))
        for part in parts:
            form.add_field(
                part.kind, BytesIO(part.content), filename=part.name or f"{part.kind}.bin"
            )
        async with self._session.post(f"{self._url}/{act}", data=form) as response:
            return await _answer(response)

    async def get(self, path: str, **query: object) -> Any:
        """One look."""
        shown = {name: str(value) for name, value in query.items()}
        async with self._session.get(f"{self._url}/{path}", params=shown) as response:
            return await _answer(response)

    async def say(self, text: str, **where: object) -> Any:
        """Writes a text."""
        return await self.post("message", text=text, **where)

    async def send(self, *parts: Part, **where: object) -> Any:
        """Sends a file, or several as an album."""
        return await self.post("message", *parts, **where)

    async def tap(self, label: str, **where: object) -> Any:
        """Taps a button, and returns what the bot answers."""
        return await self.post("tap", label=label, **where)

    async def fault(self, **order: object) -> None:
        """Orders an outage."""
        await self.post("fault", **order)

    async def messages(self, chat_id: int = ALICE) -> list[Any]:
        """Every message of a chat."""
        found: list[Any] = (await self.get(f"chat/{chat_id}"))["messages"]
        return found

    async def transcript(self, chat_id: int = ALICE) -> str:
        """A chat as text."""
        text: str = await self.get(f"chat/{chat_id}", format="text")
        return text

    async def sees(self, text: str, chat_id: int = ALICE) -> str:
        """Waits until a chat's transcript has this text; returns the transcript."""
        deadline = time.monotonic() + PATIENCE_S
        while text not in (shown := await self.transcript(chat_id)):
            assert time.monotonic() < deadline, f"{text!r} never came:\n{shown}"
            await asyncio.sleep(0.01)
        return shown

    async def calls(self, method: str = "") -> list[Any]:
        """The bot's calls of a method, or all of them."""
        found: list[Any] = (await self.get("calls", method=method))["calls"]
        return found

    async def file(self, file_id: str) -> bytes:
        """A file as a person downloads it."""
        async with self._session.get(f"{self._url}/file/{file_id}") as response:
            assert response.status == 200
            return await response.read()


async def _answer(response: aiohttp.ClientResponse) -> Any:
    if response.status == 400:
        raise NotPossible((await response.json())["error"])
    assert response.status == 200, await response.text()
    is_text = response.content_type == "text/plain"
    return await (response.text() if is_text else response.json())
