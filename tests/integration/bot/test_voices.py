"""Voice messages and other recordings: the photo that is meant says them."""

import asyncio
import json

import pytest
from redis.asyncio import Redis

from bot.orders.offers import Offers
from jobs.engines import VOICE, EngineInfo
from jobs.errors import NoSound
from jobs.model import MediaWarning
from jobs.queues.heartbeats import WorkerRegistry
from jobs.queues.known_engines import KnownEngines
from jobs.service_errors import BrokenRecord
from tests.integration.bot import parts as fakes
from tests.integration.bot import talk as talks
from tests.integration.bot.parts import FACE, hurry
from tests.integration.bot.running import until
from tests.integration.bot.talk import Message, Talk, labels, text_of
from tests.integration.sandbox import media
from tests.integration.sandbox.desk import Part

pytestmark = pytest.mark.local_sockets
newcomers = talks.newcomers
talk = talks.talk

SAY_THIS = "Should the face say this, or make a movement?"


async def said_by(talk: Talk) -> Message:
    """A video in which a photo has said a voice message."""
    await talk.photo()
    await talk.shows("Which movement?")
    await talk.voice()
    await talk.tap("Say this", await talk.shows(SAY_THIS))
    (video,) = await talk.videos()
    return video


# --- the video ------------------------------------------------------------------------------------


async def test_voice_after_its_photo_becomes_a_video_with_sound(talk: Talk) -> None:
    video = await said_by(talk)
    (order,) = talk.worker.orders
    assert order.wish.voice is not None
    assert (order.wish.movement.template, order.wish.cost_frames) == (None, 50)
    assert "video" in video
    assert [call["method"] for call in await talk.desk.calls("sendAnimation")] == []
    title, *label = text_of(video).split("\n")
    assert title == "🎤 Speaking"
    assert label[-1].startswith("The voice comes from the recording that was sent")
    assert ["🔽 Less movement", "🔼 More movement"] in await talk.more(video)
    await talk.shows("🎤 Speaking: done in")


async def test_every_kind_of_recording_finds_the_photo_before_it(talk: Talk) -> None:
    for count, kind in enumerate(("voice", "audio", "document"), start=1):
        photo = await talk.photo(seed=count)
        await talk.voice(kind=kind, reply_to=photo["message_id"])
        card = await talk.shows(SAY_THIS, count=count)
        assert labels(card)[0] == ["🎤 Say this"]
        assert (await talk.draft_of(photo)).has_voice


async def test_round_video_stays_a_clip(talk: Talk) -> None:
    await talk.photo()
    await talk.clip(kind="video_note")
    await talk.shows("Your clip, or another movement?")


async def test_a_little_more_says_the_same_again(talk: Talk) -> None:
    video = await said_by(talk)
    await talk.tap("More movement", video)
    await talk.videos(count=2)
    first, second = talk.worker.orders
    assert second.wish.voice == first.wish.voice
    assert second.wish.options == {"strength": 1.25}


async def test_deleted_recording_is_fetched_again_for_another_video(talk: Talk) -> None:
    video = await said_by(talk)
    store = talk.parts.services.store
    (order,) = talk.worker.orders
    await store.delete(order.wish.movement.files)
    answer = await talk.tap("More movement", video)
    assert "fetching the photo again" in answer["text"]
    await talk.videos(count=2)
    assert talk.worker.orders[-1].wish.voice is not None


async def test_deleted_recording_is_fetched_again_to_try_again(talk: Talk, redis: Redis) -> None:
    photo = await talk.photo()
    await talk.voice()
    card = await talk.shows(SAY_THIS)
    talk.worker.errors = [RuntimeError("a secret")] * 3
    await talk.tap("Say this", card)
    while talk.worker.errors:
        await hurry(redis, "animate-mesh")
        await asyncio.sleep(0.02)
    failed = await talk.shows("something went wrong on our side")
    look = (await talk.draft_of(photo)).findings
    assert look is not None
    assert look.voice is not None
    await talk.parts.services.store.delete([look.voice.curves])
    await talk.tap("Try again", failed)
    await talk.videos()
    assert len(talk.worker.looks) == 3


async def test_movement_can_be_made_though_there_is_a_recording(talk: Talk) -> None:
    await talk.photo()
    await talk.voice()
    await talk.tap("😊", await talk.shows(SAY_THIS))
    await talk.videos()
    (order,) = talk.worker.orders
    assert (order.wish.movement.template, order.wish.voice) == ("smile", None)


# --- which photo ----------------------------------------------------------------------------------


async def test_voice_before_its_photo_waits_for_it(talk: Talk) -> None:
    await talk.voice()
    await talk.shows("I have your recording. Now send me the photo that should say it.")
    await talk.photo()
    await talk.shows(SAY_THIS)


async def test_voice_long_after_the_last_photo_is_given_to_it_by_a_button(talk: Talk) -> None:
    photo = await talk.photo()
    await talk.shows("Which movement?")
    talk.parts.clock.ahead_s = 3600
    await talk.voice()
    await talk.tap("Use the last photo", await talk.shows("I have your recording"))
    card = await talk.shows(SAY_THIS)
    assert card["reply_to_message"]["message_id"] == photo["message_id"]


async def test_voice_that_answers_a_card_belongs_to_its_photo(talk: Talk) -> None:
    await talk.photo(seed=1)
    card = await talk.shows("Which movement?")
    second = await talk.photo(seed=2)
    await talk.shows("Which movement?", count=2)
    await talk.voice(reply_to=card["message_id"])
    await talk.shows(SAY_THIS)
    assert (await talk.draft_of(second)).lead is None


async def test_voice_that_answers_a_video_is_said_by_the_same_photo(talk: Talk) -> None:
    video = await said_by(talk)
    await talk.shows("done in")
    await talk.photo(seed=2)
    await talk.shows("Which movement?")
    await talk.voice(reply_to=video["message_id"])
    await talk.tap("Say this", await talk.shows(SAY_THIS))
    await talk.videos(count=2)
    first, second = talk.worker.orders
    assert second.draft == first.draft


async def test_voice_goes_to_the_card_that_asked_for_it(talk: Talk) -> None:
    first = await talk.photo(seed=1)
    card = await talk.shows("Which movement?")
    await talk.photo(seed=2)
    await talk.shows("Which movement?", count=2)
    await talk.tap("A voice message", card)
    await talk.shows("Hold the microphone and speak or sing")
    await talk.voice()
    await talk.videos()
    (order,) = talk.worker.orders
    assert order.draft == (await talk.draft_of(first)).draft_id


async def test_voice_that_was_asked_for_is_said_at_once(talk: Talk) -> None:
    await talk.photo()
    await talk.tap("A voice message", await talk.shows("Which movement?"))
    await talk.shows("Hold the microphone and speak or sing")
    await talk.voice()
    await talk.videos()
    await talk.shows("🎤 Speaking: done in")
    assert talk.worker.orders[0].wish.voice is not None
    assert not [one for one in await talk.said() if SAY_THIS in text_of(one)]


async def test_face_is_asked_for_before_a_voice_that_was_asked_for_is_said(talk: Talk) -> None:
    talk.worker.faces = (FACE, FACE.model_copy(update={"number": 2}))
    photo = await talk.photo()
    card = await talk.shows("I found 2 faces")
    draft = await talk.draft_of(photo)
    await talk.parts.services.drafts.update_conversation(draft, wants_lead=draft.draft_id)
    await talk.voice()
    await talk.gone(card)
    await talk.tap("2", await talk.shows("I found 2 faces"))
    await talk.videos()
    assert not [one for one in await talk.said() if SAY_THIS in text_of(one)]


async def test_what_is_wrong_with_a_voice_that_was_asked_for_is_told_first(talk: Talk) -> None:
    await talk.photo()
    await talk.tap("A voice message", await talk.shows("Which movement?"))
    await talk.shows("Hold the microphone and speak or sing")
    talk.worker.voice_warnings = (MediaWarning.NO_VOICE,)
    await talk.voice()
    await talk.tap("Say this", await talk.shows("No voice can be heard"))
    await talk.videos()


async def test_next_voice_is_not_said_unless_it_is_asked_for_again(talk: Talk) -> None:
    photo = await talk.photo()
    await talk.tap("A voice message", await talk.shows("Which movement?"))
    await talk.shows("Hold the microphone and speak or sing")
    await talk.voice()
    await talk.videos()
    await talk.shows("done in")
    await talk.voice(reply_to=photo["message_id"])
    await talk.shows(SAY_THIS)
    assert len(talk.worker.orders) == 1


async def test_clip_takes_the_place_of_a_voice_and_a_voice_that_of_a_clip(talk: Talk) -> None:
    photo = await talk.photo()
    await talk.voice(reply_to=photo["message_id"])
    await talk.shows(SAY_THIS)
    await talk.clip(reply_to=photo["message_id"])
    card = await talk.shows("Your clip, or another movement?")
    assert ["🎬 Another clip", "🎤 A voice message"] in labels(card)
    await talk.voice(reply_to=photo["message_id"])
    card = await talk.shows(SAY_THIS)
    assert ["🎬 My own clip", "🎤 Another recording"] in labels(card)
    draft = await talk.draft_of(photo)
    assert draft.findings is not None
    assert draft.findings.clip is None


async def test_several_faces_are_asked_for_first(talk: Talk) -> None:
    talk.worker.faces = (FACE, FACE.model_copy(update={"number": 2}))
    await talk.photo()
    await talk.voice()
    await talk.tap("2", await talk.shows("I found 2 faces"))
    await talk.tap("Say this", await talk.shows(SAY_THIS))
    await talk.videos()


async def test_voice_that_is_quoted_from_another_chat_is_taken(talk: Talk) -> None:
    voice = (await talk.voice())["voice"]
    await talk.shows("I have your recording")
    origin = {"type": "hidden_user", "date": 1, "sender_user_name": "C"}
    quoted = {"origin": origin, "voice": voice}
    await talk.desk.post("message", content=json.dumps({"text": "this", "external_reply": quoted}))
    await talk.shows("I have your recording", count=2)


# --- what cannot be said --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        ({"duration": 61}, "longer than the 60 s that I accept"),
        ({"file_size": 21_000_000}, "Send a shorter recording."),
    ],
)
async def test_recording_over_a_limit_is_refused_before_it_is_fetched(
    talk: Talk, change: dict[str, int], answer: str
) -> None:
    voice = (await talk.voice())["voice"]
    await talk.shows("I have your recording")
    await talk.desk.post("message", content=json.dumps({"voice": voice | change}))
    await talk.shows(answer)
    assert await talk.desk.calls("getFile") == []


async def test_recording_that_cannot_be_used_leaves_the_photo_alone(talk: Talk) -> None:
    await talk.photo()
    await talk.shows("Which movement?")
    talk.worker.errors = [NoSound(name="voice-2.ogg")]
    await talk.sent(Part("audio", media.voice(), "song.ogg"))
    trouble = await talk.shows("song.ogg has no sound")
    assert labels(trouble)[0] == ["🎤 Another recording", "Without it"]
    await talk.tap("Without it", trouble)
    await talk.tap("😊", await talk.shows("Which movement?"))
    await talk.videos()


# --- deleting -------------------------------------------------------------------------------------


async def test_recording_is_deleted_with_its_photo(talk: Talk) -> None:
    store = talk.parts.services.store
    await talk.photo()
    await talk.voice()
    card = await talk.shows(SAY_THIS)
    kept = [file.key.rpartition("/")[2] async for file in store.listing()]
    assert {name for name in kept if "voice" in name} == {
        *("voice-2.ogg", kept_look(kept, "m4a"), kept_look(kept, "npz"))
    }

    async def is_empty() -> bool:
        return not [file async for file in store.listing()]

    await talk.tap("Cancel", card)
    await until(is_empty)


async def test_delete_under_the_video_deletes_the_recording(talk: Talk) -> None:
    video = await said_by(talk)
    await talk.shows("done in")
    answer = await talk.tap("Delete", video)
    assert answer["text"] == "Deleted: the video here, and its files on the server."
    assert [file.key async for file in talk.parts.services.store.listing()] == []


def kept_look(names: list[str], suffix: str) -> str:
    (name,) = (name for name in names if name.endswith(suffix))
    return name


# --- workers of the version before ----------------------------------------------------------------


async def test_voice_is_refused_kindly_while_a_worker_is_of_the_version_before(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = fakes.ENGINE_INFOS["mesh"].model_copy(update={"options": ("strength",)})
    await _beat(talk, old, monkeypatch)
    await talk.photo()
    card = await talk.shows("Which movement?")
    assert ["🎬 My own clip"] in labels(card)
    await talk.voice()
    await talk.shows("Photos cannot speak here yet")
    assert len(talk.worker.looks) == 1


async def test_order_that_a_worker_of_the_version_before_takes_fails_and_can_be_tried_again(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await talk.photo()
    await talk.voice()
    card = await talk.shows(SAY_THIS)
    # It joins after the order was accepted, and cannot read it.
    talk.worker.errors = [BrokenRecord(kind="Order", reason="voice: extra inputs")]
    await talk.tap("Say this", card)
    failed = await talk.shows("something went wrong on our side")
    assert len(talk.worker.orders) == 1, "another try by the same worker would fail as well"
    now = fakes.ENGINE_INFOS["mesh"]
    await _beat(talk, now.model_copy(update={"options": ("strength",)}), monkeypatch)
    answer = await talk.tap("Try again", failed)
    assert "Photos cannot speak here yet" in answer["text"]
    await _beat(talk, now, monkeypatch)
    await talk.tap("Try again", failed)
    (video,) = await talk.videos()
    assert "video" in video
    assert talk.worker.orders[-1].wish.voice is not None


async def test_recording_that_a_worker_of_the_version_before_takes_can_be_looked_at_again(
    talk: Talk,
) -> None:
    await talk.photo()
    await talk.shows("Which movement?")
    talk.worker.errors = [BrokenRecord(kind="LookJob", reason="voice_key: extra inputs")]
    await talk.voice()
    await talk.tap("Try again", await talk.shows("omething went wrong on our side"))
    await talk.shows(SAY_THIS)


async def _beat(talk: Talk, info: EngineInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(fakes.ENGINE_INFOS, "mesh", info)
    client = talk.parts.services.queues.client
    workers = WorkerRegistry(client)
    await workers.beat(fakes.heartbeat("mesh"), talk.parts.clock())
    offers = Offers(workers, KnownEngines(client), "auto")

    takes_voices = VOICE in info.options

    async def is_known() -> bool:
        return (await talk.parts.services.offers.now()).takes_voices == takes_voices

    assert (await offers.now()).takes_voices == takes_voices
    await until(is_known)
