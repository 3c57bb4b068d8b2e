"""From Telegram's objects to plain values."""

from typing import Any

import pytest
from telegram import CallbackQuery, Message

from bot.gateway.updates import (
    IncomingTap,
    LeadMedia,
    PhotoMedia,
    UnusableMedia,
    incoming_message,
    incoming_tap,
    media_of,
    quoted_media_of,
)

ALICE = {"id": 7, "first_name": "Alice", "is_bot": False, "language_code": "pt-BR"}
CHAT = {"id": 7, "type": "private"}
FILE = {"file_id": "big", "file_unique_id": "u", "file_size": 5}
SIZES = [
    {**FILE, "file_id": "small", "width": 90, "height": 90},
    {**FILE, "width": 900, "height": 900},
]
MOVING = {**FILE, "width": 9, "height": 9, "duration": 3}
STICKER = {**MOVING, "type": "regular", "is_animated": False, "is_video": False}


@pytest.fixture(autouse=True)
def durations_are_timedeltas(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library warns wherever it gives seconds as a plain number, which is its default."""
    monkeypatch.setenv("PTB_TIMEDELTA", "true")


def message_of(**content: Any) -> Message:
    plain = {"message_id": 3, "date": 1, "chat": CHAT, "from": ALICE, **content}
    return Message.de_json(plain, None)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ({"photo": SIZES}, "photo.jpg"),
        ({"document": {**FILE, "mime_type": "image/heic", "file_name": "a.HEIC"}}, "a.HEIC"),
        ({"document": {**FILE, "file_name": "scan.tif"}}, "scan.tif"),
        ({"document": {**FILE, "mime_type": "image/png"}}, "picture"),
        ({"sticker": STICKER}, "sticker.webp"),
    ],
)
def test_pictures(content: dict[str, Any], name: str) -> None:
    media = media_of(message_of(**content))
    assert isinstance(media, PhotoMedia)
    assert (media.file.file_id, media.file.name, media.file.size_bytes) == ("big", name, 5)
    assert media.clip is None


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ({"video": {**MOVING, "file_name": "a.mov"}}, "a.mov"),
        ({"video_note": {**FILE, "length": 9, "duration": 3}}, "clip.mp4"),
        ({"animation": MOVING, "document": FILE}, "clip.mp4"),
        ({"document": {**FILE, "mime_type": "video/mp4"}}, "clip"),
        ({"document": {**FILE, "mime_type": "image/gif", "file_name": "a.gif"}}, "a.gif"),
        ({"document": {**FILE, "file_name": "A.MKV"}}, "A.MKV"),
    ],
)
def test_clips(content: dict[str, Any], name: str) -> None:
    media = media_of(message_of(**content))
    assert isinstance(media, LeadMedia)
    assert (media.file.name, media.file.size_bytes) == (name, 5)
    assert media.file.duration_s == (None if list(content) == ["document"] else 3)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ({"voice": {**FILE, "duration": 3}}, "recording"),
        ({"audio": {**FILE, "duration": 3, "file_name": "song.mp3"}}, "song.mp3"),
        ({"audio": {**FILE, "duration": 3}}, "recording"),
        ({"document": {**FILE, "mime_type": "audio/mpeg"}}, "recording"),
        ({"document": {**FILE, "file_name": "Speech.WAV"}}, "Speech.WAV"),
    ],
)
def test_recordings(content: dict[str, Any], name: str) -> None:
    media = media_of(message_of(**content))
    assert isinstance(media, LeadMedia)
    assert media.file.is_voice
    assert (media.file.name, media.file.size_bytes) == (name, 5)
    assert media.file.duration_s == (None if list(content) == ["document"] else 3)


def test_clip_is_written_as_the_version_before_reads_it() -> None:
    media = media_of(message_of(video=MOVING))
    assert isinstance(media, LeadMedia)
    assert "is_voice" not in media.file.model_dump()


def test_live_photo_is_a_photo_that_can_serve_as_a_clip() -> None:
    media = media_of(message_of(photo=SIZES, live_photo={**MOVING, "file_id": "live"}))
    assert isinstance(media, PhotoMedia)
    assert media.clip is not None
    assert (media.clip.file_id, media.clip.duration_s) == ("live", 3)


@pytest.mark.parametrize(
    ("content", "phrase", "is_clip"),
    [
        ({"sticker": {**STICKER, "is_animated": True}}, "Animated stickers", False),
        ({"sticker": {**STICKER, "is_video": True}}, "Animated stickers", True),
        ({"story": {"id": 1, "chat": CHAT}}, "cannot open stories", False),
        ({"paid_media": {"star_count": 1, "paid_media": []}}, "cannot open paid", False),
        ({"contact": {"phone_number": "1", "first_name": "A"}}, "Send me a photo", False),
        ({"document": {**FILE, "file_name": "a.pdf"}}, "{name} is neither", False),
    ],
)
def test_what_cannot_be_used(content: dict[str, Any], phrase: str, *, is_clip: bool) -> None:
    media = media_of(message_of(**content))
    assert isinstance(media, UnusableMedia)
    assert phrase in media.sentence
    assert (media.clip is not None) is is_clip


def test_text_brings_nothing_and_may_answer_something() -> None:
    assert media_of(message_of(text="hello")) is None
    assert quoted_media_of(message_of(text="hello")) is None
    answered = {"message_id": 2, "date": 1, "chat": CHAT, "photo": SIZES}
    assert isinstance(
        quoted_media_of(message_of(text="this", reply_to_message=answered)), PhotoMedia
    )


def test_where_a_message_came_from() -> None:
    plain = incoming_message(message_of(text="hello", message_thread_id=5))
    assert (plain.chat_id, plain.person_id, plain.message_id, plain.text) == (7, 7, 3, "hello")
    assert plain.thread_id is None, "outside topics it cannot be sent to"
    assert incoming_message(message_of(message_thread_id=5, is_topic_message=True)).thread_id == 5
    anonymous = incoming_message(message_of(sender_chat={"id": -100, "type": "supergroup"}))
    assert anonymous.person_id == -100


def test_tap_under_a_message_that_is_there_that_is_forgotten_and_that_is_none() -> None:
    def query_of(**content: Any) -> CallbackQuery:
        plain = {"id": "1", "from": ALICE, "chat_instance": "c", **content}
        return CallbackQuery.de_json(plain, None)

    there = {"message_id": 3, "date": 1, "chat": CHAT, "message_thread_id": 5}
    topic = {**there, "is_topic_message": True}
    forgotten = {"message_id": 3, "date": 0, "chat": CHAT}
    assert incoming_tap(query_of(data="x", message=there)) == IncomingTap(7, 7, 3, None, "x", "1")
    assert incoming_tap(query_of(data="x", message=topic)) == IncomingTap(7, 7, 3, 5, "x", "1")
    assert incoming_tap(query_of(data="x", message=forgotten)) == IncomingTap(
        7, 7, 3, None, "x", "1"
    )
    assert incoming_tap(query_of(data="x", inline_message_id="i")) is None
    assert incoming_tap(query_of(game_short_name="g", message=there)) is None
