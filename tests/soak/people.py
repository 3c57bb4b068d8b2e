"""The people of a soak test: they send photos, clips, voices and nonsense, tap, and cancel."""

import asyncio
import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import aiohttp
from PIL import Image
from skimage.data import astronaut, coins

from bot.callback_data import ButtonAction
from tests.integration.sandbox import media
from tests.integration.sandbox.desk import Desk, NotPossible, Part
from tests.integration.worker.chaos_programs import ROOT

_ASK_S = 1.5
_PATIENCE_S = 90.0
# Their answers may be in the card of the photo before them.
_LEADS = ("clips", "voices", "bad clips and recordings")
Message = dict[str, Any]


def _jpeg(pixels: Any) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=85)
    return file.getvalue()


@dataclass(frozen=True)
class Files:
    """What people send."""

    photos: tuple[bytes, ...]
    bad: tuple[Part, ...]
    clip: bytes
    voice: bytes

    @classmethod
    def make(cls) -> "Files":
        face = astronaut()[0:300, 120:360]
        photos = (_jpeg(face), _jpeg(face[:, ::-1]), _jpeg(face[20:, 10:]), _jpeg(coins()))
        bad = (
            Part("document", photos[0][:2000], "broken.jpg"),
            Part("document", b"nothing of the kind", "text.png"),
            Part("document", b"\0" * 5000, "zeros.mp4"),
            Part("document", b"OggS and no more", "voice.ogg"),
        )
        clip = (ROOT / "templates" / "blink.mp4").read_bytes()
        return cls(photos, bad, clip, media.voice())


def buttons(message: Message) -> Iterator[str]:
    """The data of a message's buttons."""
    for row in message.get("reply_markup", {}).get("inline_keyboard", []):
        for button in row:
            if "callback_data" in button:
                yield button["callback_data"]


def with_action(message: Message, *actions: ButtonAction) -> list[str]:
    """Those that do one of these."""
    found = [data for data in buttons(message) if data.split("|")[1] in actions]
    return [data for data in found if not data.endswith("|*")]


class Person:
    """Somebody in their private chat.

    Args:
        desk: the person side of the sandbox.
        number: their Telegram id.
        seed: of what they do.
        files: what they send.
        counts: how often anybody did what.
    """

    def __init__(
        self, desk: Desk, number: int, seed: int, files: Files, counts: "Counter[str]"
    ) -> None:
        self._desk = desk
        self.number = number
        self._random = random.Random(seed)
        self._files = files
        self._counts = counts
        self.asked: list[int] = []  # their messages that deserve an answer

    async def live(self, pause_s: float, until_s: float) -> None:
        """Use the bot again and again until this time of the loop's clock."""
        loop = asyncio.get_running_loop()
        acts = {
            self._animate: 12,
            self._animate_clip: 2,
            self._speak: 2,
            self._send_nonsense: 2,
            self._command: 3,
        }
        while loop.time() < until_s:
            pause = self._random.expovariate(1 / pause_s)
            await asyncio.sleep(min(pause, until_s - loop.time()))
            if loop.time() < until_s:
                act = self._random.choices(list(acts), list(acts.values()))[0]
                await act()

    # --- what they do -----------------------------------------------------------------------------

    async def _animate(self) -> None:
        card = await self._photo()
        if card is not None:
            await self._order(card, ButtonAction.TEMPLATE, ButtonAction.SHOW_ALL)

    async def _animate_clip(self) -> None:
        await self._send(Part("video", self._files.clip, "clip.mp4"), what="clips")
        card = await self._photo()
        if card is not None:
            await self._order(card, ButtonAction.OWN_LEAD, ButtonAction.TEMPLATE)

    async def _speak(self) -> None:
        card = await self._photo()
        if card is not None:
            await self._send(Part("voice", self._files.voice, "voice.ogg"), what="voices")
            await asyncio.sleep(self._random.uniform(2, 10))
            await self._order(card, ButtonAction.OWN_LEAD, ButtonAction.TEMPLATE)

    async def _send_nonsense(self) -> None:
        part = self._random.choice(self._files.bad)
        is_lead = part.name.endswith((".mp4", ".ogg"))
        await self._send(part, what="bad clips and recordings" if is_lead else "bad files")

    async def _command(self) -> None:
        await self._say(self._random.choice(("/help", "/queue", "/history", "/start", "/privacy")))

    async def _photo(self) -> Message | None:
        """Send a photo; return its card as soon as it has buttons to order with."""
        sent = await self._send(Part("photo", self._random.choice(self._files.photos), "photo.jpg"))
        deadline = asyncio.get_running_loop().time() + _PATIENCE_S
        while sent and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(_ASK_S)
            for message in reversed(await self._desk.messages(self.number)):
                if with_action(message, ButtonAction.CONSENT):
                    await self._tap(message, with_action(message, ButtonAction.CONSENT)[0])
                    break
                if _answers(message, sent) and with_action(message, ButtonAction.CELL):
                    await self._tap(message, with_action(message, ButtonAction.CELL)[0])
                    break
                if _answers(message, sent) and with_action(message, ButtonAction.TEMPLATE):
                    card: Message = message
                    return card
        return None

    async def _order(self, card: Message, *actions: ButtonAction) -> None:
        shown = await self._latest(card)
        data = next((found for one in actions if (found := with_action(shown, one))), [])
        if not data:
            return
        chosen = self._random.choice(data)
        taps = 2 if self._random.random() < 0.1 else 1
        await asyncio.gather(*(self._tap(shown, chosen) for _ in range(taps)))
        self._counts["orders tapped"] += 1
        if self._random.random() < 0.12:
            await asyncio.sleep(self._random.uniform(0, 6))
            shown = await self._latest(card)
            for cancel in with_action(shown, ButtonAction.CANCEL)[:1]:
                self._counts["cancels tapped"] += 1
                await self._tap(shown, cancel)

    # --- inside -----------------------------------------------------------------------------------

    async def _latest(self, message: Message) -> Message:
        shown = await self._desk.messages(self.number)
        return next((one for one in shown if one["message_id"] == message["message_id"]), message)

    async def _send(self, part: Part, what: str = "photos") -> int:
        """Send a file; return its message's id."""
        self._counts[what] += 1
        sent = await self._desk.send(part, user_id=self.number, chat_id=self.number)
        message_id: int = sent["message"]["message_id"]
        if what not in _LEADS:
            self.asked.append(message_id)
        return message_id

    async def _say(self, text: str) -> None:
        self._counts["commands"] += 1
        sent = await self._desk.say(text, user_id=self.number, chat_id=self.number)
        self.asked.append(sent["message"]["message_id"])

    async def _tap(self, message: Message, data: str) -> None:
        where = {"user_id": self.number, "chat_id": self.number}
        try:
            await self._desk.post("tap", data=data, message_id=message["message_id"], **where)
        except (NotPossible, aiohttp.ClientError):
            self._counts["taps on buttons that were gone"] += 1


def _answers(message: Message, message_id: int) -> bool:
    replied: Message = message.get("reply_to_message") or {}
    return replied.get("message_id") == message_id


def result_of(message: Message) -> tuple[str, str] | None:
    """The draft and number of the order whose video a message is; None for others."""
    if not (message.get("animation") or message.get("video")):
        return None
    for data in buttons(message):
        found = re.match(rf"v1\|{ButtonAction.MORE}\|(\w+)\|(\d+)\|", data)
        if found:
            return found[1], found[2]
    return None
