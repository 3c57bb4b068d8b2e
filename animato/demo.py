"""`make demo`: the whole service with the sandbox in place of Telegram.

First it sends the sample portrait, agrees to the terms, taps a movement and saves the video as
`out/demo.mp4`. Then the chat page is open to visitors.
"""

import asyncio
import io
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiofiles
import aiohttp
from PIL import Image

from animato.service import service_programs, supervise
from animato.signals import until_signal
from bot.callback_data import ButtonAction, ButtonData
from inference.template_build import driving_portrait
from jobs.child_environment import SERVICE, child_environment
from jobs.errors import OperatorError
from jobs.redis_server.server import RedisServer
from jobs.settings import Settings, variable_of
from jobs.tasks import Shutdown
from sandbox.server import Sandbox, SandboxOptions

OUTPUT = Path("out/demo.mp4")
TEMPLATE = "nod"
# The second person of the sandbox; the first one is for the visitor.
PERSON = 8
# The third one may try the owner's commands, such as /status.
ADMIN = 9
_POLL_S = 0.1
_TIMEOUT_S = 180.0
# Settings of the owner's own service that must not reach the demo. Its programs also run in a
# folder without a `.env`.
_CLEARED = ("bot_api_local", "log_format", "metrics_port", "webhook_url")


class PortTaken(OperatorError):
    """The port of the chat page cannot be used."""

    sentence = (
        "The port {port} is not available ({reason}): choose another one with --port, or "
        "omit --port to use any free one."
    )


class DemoFailed(OperatorError):
    """The video of the sample portrait did not come back."""

    sentence = "The sample portrait was not animated within {seconds:g} s: check the log above."


def run_demo(*, is_once: bool, port: int) -> None:
    """Run the demo until Ctrl-C, or until the first video arrives.

    Args:
        is_once: whether to end after the first video.
        port: of the chat page; 0 for any free one.

    Raises:
        DemoFailed: no video arrived.
        PortTaken: the port of the chat page cannot be used.
        OperatorError: a part of the service cannot run here.
    """
    settings = Settings.load(Path(".env"))  # reports an invalid setting at once
    ending = Shutdown()
    work = _demo(ending, settings, is_once=is_once, port=port)
    until_signal(work, ending.ask, asyncio.Task.cancel)


async def _demo(ending: Shutdown, settings: Settings, *, is_once: bool, port: int) -> None:
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="animato-"))
        sandbox = await stack.enter_async_context(_sandbox(port))
        server = await stack.enter_async_context(RedisServer(Path(folder)))
        environment = child_environment(*SERVICE) | {
            **dict.fromkeys(map(variable_of, _CLEARED), ""),
            "ANIMATO_TEMPLATES_DIR": str(settings.templates_dir.absolute()),
            "ANIMATO_CHECKPOINTS_DIR": str(settings.checkpoints_dir.absolute()),
            "ANIMATO_REDIS_URL": server.url,
            "ANIMATO_STORE_URL": str(Path(folder) / "files"),
            "ANIMATO_DATA_DIR": folder,
            "ANIMATO_BOT_TOKEN": sandbox.token,
            "ANIMATO_BOT_API_URL": sandbox.url,
            "ANIMATO_ADMINS": str(ADMIN),
            "ANIMATO_OPEN": "true",
            "ANIMATO_MIN_FREE_GB": "0.2",
        }
        programs = service_programs(environment, workers=1, folder=Path(folder))
        await supervise(programs, _show(sandbox.url, ending.asked, is_once=is_once), ending)


@asynccontextmanager
async def _sandbox(port: int) -> AsyncIterator[Sandbox]:
    sandbox = Sandbox(SandboxOptions(port=port))
    try:
        await sandbox.start()
    except (OSError, OverflowError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else error
        raise PortTaken(port=port, reason=str(reason)) from error
    try:
        yield sandbox
    finally:
        await sandbox.stop()


async def _show(url: str, ended: asyncio.Event, *, is_once: bool) -> None:
    """Send the portrait, and print how to continue."""
    begun_s = time.monotonic()
    async with aiohttp.ClientSession(url) as session:
        try:
            video = await asyncio.wait_for(animate_sample(session), _TIMEOUT_S)
        except TimeoutError as error:
            raise DemoFailed(seconds=_TIMEOUT_S) from error
    OUTPUT.parent.mkdir(exist_ok=True)
    async with aiofiles.open(OUTPUT, "wb") as file:
        await file.write(video)
    print(f"{OUTPUT}: {time.monotonic() - begun_s:.1f} s from the photo to the video")
    if is_once:
        return
    print(f"\nNow you: open {url} and send a photo. Ctrl-C ends everything; nothing is kept.")
    if os.environ.get("SSH_CONNECTION"):
        port = url.rpartition(":")[2]
        print(f"From your own machine first: ssh -L {port}:127.0.0.1:{port} THIS-MACHINE")
    sys.stdout.flush()
    await ended.wait()


async def animate_sample(session: aiohttp.ClientSession) -> bytes:
    """Send the sample portrait to the bot through the sandbox, and return its video."""
    picture = io.BytesIO()
    Image.fromarray(driving_portrait()).save(picture, format="JPEG", quality=95)
    form = aiohttp.FormData({"user_id": str(PERSON), "chat_id": str(PERSON)})
    form.add_field("photo", picture.getvalue(), filename="portrait.jpg")
    await _ask(session, "/sim/message", form)
    tapped: set[str] = set()
    while True:
        chat = await _ask(session, f"/sim/chat/{PERSON}")
        for message in chat["messages"]:
            video = message.get("animation") or message.get("video")
            if video and message["from"]["is_bot"]:
                async with session.get(f"/sim/file/{video['file_id']}") as response:
                    return await response.read()
            for data in _next_buttons(message):
                if data not in tapped:
                    tapped.add(data)
                    await _tap(session, message["message_id"], data)
        await asyncio.sleep(_POLL_S)


def _next_buttons(message: dict[str, Any]) -> list[str]:
    """Return the data of the buttons of a message that lead to the video."""
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    carried = [
        button["callback_data"] for row in rows for button in row if "callback_data" in button
    ]
    return [data for data in carried if _is_next(ButtonData.decode(data))]


def _is_next(tap: ButtonData | None) -> bool:
    if tap is None:
        return False
    return tap.action is ButtonAction.CONSENT or (
        tap.action is ButtonAction.TEMPLATE and tap.argument == TEMPLATE
    )


async def _tap(session: aiohttp.ClientSession, message_id: int, data: str) -> None:
    tap = {"user_id": str(PERSON), "chat_id": str(PERSON), "message_id": str(message_id)}
    await _ask(session, "/sim/tap", aiohttp.FormData({**tap, "data": data}))


async def _ask(
    session: aiohttp.ClientSession, path: str, form: aiohttp.FormData | None = None
) -> Any:
    """Return the sandbox's answer to a request."""
    async with session.request("GET" if form is None else "POST", path, data=form) as response:
        response.raise_for_status()
        return await response.json()
