"""Content Credentials of what arrives in a chat, and what happens if nothing can be signed."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

import c2pa
import pytest
from redis.asyncio import Redis

from bot.provenance.certificates import load_chain
from bot.provenance.verifying import (
    Credentials,
    CredentialsUnreadable,
    make_context,
    read_credentials,
)
from jobs.queues.keys import DELIVER
from sandbox.server import Sandbox
from tests.integration.bot.parts import hurry
from tests.integration.bot.running import until
from tests.integration.bot.served_bot import Message, ServedBot, serve_bot
from tests.integration.bot.talk import labels, text_of
from tests.integration.sandbox import media
from tests.integration.sandbox.desk import ADMIN, ALICE, Desk
from tests.unit.bot.provenance.test_certificates import owners

pytestmark = [pytest.mark.local_sockets, pytest.mark.usefixtures("quick_chats")]


class Served(Protocol):
    def __call__(self, **settings: Any) -> AbstractAsyncContextManager[ServedBot]: ...


@pytest.fixture
async def served(sandbox: Sandbox, valkey: str, desk: Desk, tmp_path: Path) -> Served:
    await desk.say("/start", user_id=ADMIN, chat_id=ADMIN)  # so the bot may write to the admin
    return lambda **settings: serve_bot(sandbox, valkey, desk, tmp_path, **settings)


@pytest.fixture
async def served_bot(served: Served) -> AsyncIterator[ServedBot]:
    async with served() as found, found.working():
        yield found


async def ordered(served_bot: ServedBot, label: str = "Smile") -> None:
    """Alice sends a photo and taps a movement."""
    await served_bot.people.agree(ALICE)
    await served_bot.photo()
    await served_bot.tap(label, await served_bot.shows("Which movement?", ALICE), ALICE)


async def came(served_bot: ServedBot, kind: str, count: int = 1) -> bytes:
    """The file of the last message of this kind, as a person downloads it."""
    found: list[Message] = []

    async def are_there() -> bool:
        said = await served_bot.said(ALICE)
        found[:] = [
            one for one in said if kind in one and (kind == "animation" or "animation" not in one)
        ]
        return len(found) >= count

    await until(are_there)
    return await served_bot.desk.file(found[-1][kind]["file_id"])


async def open_forms(served_bot: ServedBot, video: Message) -> None:
    """Taps "Other forms", and waits for their buttons."""
    await served_bot.tap("Other forms", video, ALICE)

    async def are_there() -> bool:
        said = await served_bot.said(ALICE)
        shown = [one for one in said if one["message_id"] == video["message_id"]]
        return "Round video" in str(labels(shown[0]))

    await until(are_there)


def read(content: bytes) -> Credentials | None:
    return read_credentials(BytesIO(content))


async def test_each_form_that_can_is_signed_and_what_arrives_is_what_was_signed(
    served_bot: ServedBot,
) -> None:
    await ordered(served_bot)
    video = await served_bot.video(ALICE)
    contents = [await came(served_bot, "animation")]
    await served_bot.shows("done in", ALICE)
    await served_bot.tap("As file", video, ALICE)
    contents.append(await came(served_bot, "document"))
    await open_forms(served_bot, video)
    for label, kind, count in (
        ("Round video", "video_note", 1),
        ("GIF file", "document", 2),
        ("Video", "video", 1),
    ):
        await served_bot.tap(label, video, ALICE)
        contents.append(await came(served_bot, kind, count))
    assert len(set(contents)) == 5
    for content in contents:
        found = read(content)
        assert found is not None
        assert found.is_valid, found.problems
        assert found.description == "Made with AI software: a test"
        assert found.source_type == "https://example.org/type", "the engine's"
        assert found.agent.startswith("Animato mesh ")
    await served_bot.tap("Sticker", video, ALICE)
    assert await came(served_bot, "sticker") == media.video_sticker()
    assert len(media.clip()) < len(contents[0]) < len(media.clip()) + 5000
    await served_bot.says("/about", ALICE)
    await served_bot.shows("Content Credentials (C2PA)", ALICE)


async def test_nothing_is_signed_and_about_is_silent_if_it_is_off(served: Served) -> None:
    async with served(provenance="off") as served_bot, served_bot.working():
        await ordered(served_bot)
        assert await came(served_bot, "animation") == media.clip()
        await served_bot.says("/about", ALICE)
        about = await served_bot.shows("free software", ALICE)
        assert "Content Credentials" not in text_of(about)


async def test_video_goes_unsigned_with_a_word_to_the_admins_if_the_certificate_has_expired(
    served: Served, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "data").mkdir()
    owners(tmp_path / "data" / "provenance", days=-1)
    async with served() as served_bot, served_bot.working():
        await ordered(served_bot)
        assert await came(served_bot, "animation") == media.clip()
        assert "animato-smile.mp4 is sent unsigned: " in caplog.text
        note = await served_bot.shows("so they are sent unsigned: ", ADMIN)
        assert "own-signer.pem cannot be used to sign: it is valid from" in text_of(note)


async def test_required_video_waits_until_the_owner_has_mended_it_and_is_not_lost(
    served: Served, tmp_path: Path, redis: Redis
) -> None:
    (tmp_path / "data").mkdir()
    owners(tmp_path / "data" / "provenance", days=-1)
    async with served(provenance="required") as served_bot, served_bot.working():
        await ordered(served_bot)
        await served_bot.shows("so they are not sent: ", ADMIN)
        await until(lambda: _waits(redis))
        assert not [one for one in await served_bot.said(ALICE) if "animation" in one]
        owners(tmp_path / "data" / "provenance", days=300)
        await hurry(redis, DELIVER)
        found = read(await came(served_bot, "animation"))
        assert found is not None
        assert (found.is_valid, found.signer) == (True, "Somebody")
        await served_bot.shows("done in", ALICE)


async def _waits(redis: Redis) -> bool:
    return bool(await redis.zcard(f"bull:{DELIVER}:delayed"))


async def test_required_file_that_cannot_be_signed_ends_its_order_with_one_sentence(
    served: Served,
) -> None:
    async with served(provenance="required") as served_bot, served_bot.working():
        served_bot.worker.content = lambda: b"no video"  # type: ignore[method-assign]
        await ordered(served_bot)
        await served_bot.shows("it could not be signed, and this bot sends only signed", ALICE)
        await served_bot.shows("could not be sent: This file cannot be signed", ADMIN)
        assert not [one for one in await served_bot.said(ALICE) if "animation" in one]


async def test_required_form_waits_until_the_owner_has_mended_it(
    served: Served, tmp_path: Path, redis: Redis
) -> None:
    async with served(provenance="required") as served_bot, served_bot.working():
        await ordered(served_bot)
        video = await served_bot.video(ALICE)
        await served_bot.shows("done in", ALICE)
        owners(tmp_path / "data" / "provenance", days=-1)
        await open_forms(served_bot, video)
        await served_bot.tap("Round video", video, ALICE)
        await until(lambda: _waits(redis))
        assert not [one for one in await served_bot.said(ALICE) if "video_note" in one]
        owners(tmp_path / "data" / "provenance", days=300)
        await hurry(redis, DELIVER)
        found = read(await came(served_bot, "video_note"))
        assert found is not None
        assert (found.is_valid, found.signer) == (True, "Somebody")


async def test_required_signature_refuses_the_form_that_has_none_at_once(served: Served) -> None:
    async with served(provenance="required") as served_bot, served_bot.working():
        await ordered(served_bot)
        video = await served_bot.video(ALICE)
        await served_bot.shows("done in", ALICE)
        await open_forms(served_bot, video)
        answer = await served_bot.tap("Sticker", video, ALICE)
        assert "This form cannot be signed" in answer["text"]
        assert served_bot.worker.media_jobs == []


async def test_credentials_on_a_server_are_not_fetched(tmp_path: Path) -> None:
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readline())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        content = await asyncio.to_thread(_with_remote_credentials, tmp_path, port)
        with pytest.raises(CredentialsUnreadable, match="servers are not asked"):
            await asyncio.to_thread(read, content)
        assert asked == []
        # The library's own settings would.
        with pytest.raises(c2pa.C2paError, match="Remote"):
            await asyncio.to_thread(c2pa.Reader, "video/mp4", BytesIO(content))
        await until(lambda: asked)


def _with_remote_credentials(folder: Path, port: int) -> bytes:
    """A video that only says where its Content Credentials are."""
    chain = load_chain(folder, datetime.now(UTC))
    info = c2pa.C2paSignerInfo(chain.algorithm, chain.certificates, chain.key, None)
    actions = [{"action": "c2pa.created", "digitalSourceType": "https://example.org/type"}]
    manifest = {"assertions": [{"label": "c2pa.actions.v2", "data": {"actions": actions}}]}
    content = BytesIO()
    with make_context() as context, c2pa.Builder(json.dumps(manifest), context) as builder:
        builder.set_no_embed()
        builder.set_remote_url(f"http://127.0.0.1:{port}/credentials.c2pa")
        builder.sign(c2pa.Signer.from_info(info), "video/mp4", BytesIO(media.clip()), content)
    return content.getvalue()
