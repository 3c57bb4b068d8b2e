"""The private conversation as a whole: photo in, mp4 out; real bot, real worker, real Valkey."""

import asyncio
from collections.abc import AsyncIterator
from io import BytesIO

import av
import numpy as np
import pytest
import pytest_asyncio

from inference.media.visible_mark import noted
from jobs.templates import SHIPPED_TEMPLATES
from tests.e2e.whole_service import (
    Service,
    portrait,
    two_portraits,
    wall,
    whole_service,
)
from tests.integration.sandbox import media
from tests.integration.sandbox.desk import Part

pytestmark = [pytest.mark.local_sockets, pytest.mark.asyncio(loop_scope="module")]

BLINK_FRAMES = 75


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            patch.delenv(name, raising=False)
            patch.delenv(name.upper(), raising=False)
        patch.setenv("PTB_TIMEDELTA", "true")
        async with whole_service(tmp_path_factory.mktemp("service")) as found:
            yield found


def movements(video: bytes) -> tuple[float, ...]:
    """How far the left and the right half differ from the first frame at most, grey levels."""
    first, *later = (frame.astype(int) for frame in media.frames(video))
    return tuple(
        max(float(abs(frame[:, half] - first[:, half]).mean()) for frame in later)
        for half in (slice(0, 200), slice(200, 400))
    )


def is_marked(video: bytes) -> bool:
    """Whether light letters on a dark ground are where the metadata says that the mark is."""
    with av.open(BytesIO(video), "r") as container:
        place = noted(container.metadata["description"])
    assert place is not None
    first, *_, last = media.frames(video)
    for frame in (first, last):
        letters = frame[place.upper : place.lower, place.left : place.right].mean(axis=2)
        if np.percentile(letters, 97) - np.median(letters) < 60:
            return False
    return True


async def test_first_photo_of_a_newcomer_becomes_an_mp4(service: Service) -> None:
    carol = await service.newcomer()
    photo = await carol.send(portrait())
    await carol.tap("I agree", await carol.sees("Before we begin"))
    await carol.tap("Blink", await carol.sees("Which movement?"))
    (video,) = await carol.videos()
    assert video["animation"], "without sound it loops by itself"
    assert video["reply_to_message"]["message_id"] == photo["message_id"]
    assert video["caption"].lower().startswith("😌 blink\nmade with ai")
    made = await carol.file_of(video)
    assert media.shown(made) == (200, 200, BLINK_FRAMES)
    assert is_marked(made), "it is marked in a corner"
    await carol.sees("Blink: done in")


async def test_clip_then_photo(service: Service) -> None:
    dora = await service.regular()
    clip = (SHIPPED_TEMPLATES / "blink.mp4").read_bytes()
    await dora.send(Part("video", clip, "me.mp4"))
    await dora.sees("Now send me the photo that should follow it")
    await dora.send(portrait())
    await dora.tap("Follow my clip", await dora.sees("Your clip, or another movement?"))
    (video,) = await dora.videos()
    assert media.shown(await dora.file_of(video)) == (200, 200, BLINK_FRAMES)


async def test_face_that_is_chosen_among_several_moves(service: Service) -> None:
    dora = await service.regular()
    await dora.send(two_portraits())
    card = await dora.sees("I found 2 faces")
    assert card["photo"]
    await dora.tap("2", card)
    await dora.tap("Blink", await dora.sees("Which movement?"))
    (video,) = await dora.videos()
    assert media.shown(await dora.file_of(video)) == (400, 200, BLINK_FRAMES)
    left, right = movements(await dora.file_of(video))
    assert min(left, right) * 2 < max(left, right), "one of them moves, and the other does not"


async def test_everybody_moves_and_then_a_little_more(service: Service) -> None:
    dora = await service.regular()
    await dora.send(two_portraits())
    await dora.tap("All of them", await dora.sees("I found 2 faces"))
    await dora.tap("Blink", await dora.sees("2 faces will move: 2 times the work of one."))
    (video,) = await dora.videos()
    assert "Blink, 2 faces\n" in video["caption"]
    assert min(movements(await dora.file_of(video))) > 0.5, "both move"
    await dora.tap("More movement", video)
    stronger = (await dora.videos(count=2))[1]
    assert "Blink, 2 faces, strength 125 %\n" in stronger["caption"]


async def test_photo_without_a_face_is_no_dead_end(service: Service) -> None:
    dora = await service.regular()
    await dora.send(wall())
    await dora.tap("5", await dora.sees("I found no face"))
    await dora.tap("Blink", await dora.sees("Which movement?"))
    await dora.tap("Another part", await dora.sees("I see no face in this part"))
    await dora.tap("4", await dora.sees("I found no face"))
    await dora.tap("Blink", await dora.sees("Which movement?"))
    await dora.sees("I see no face in this part", count=2)


async def test_two_people_at_once_and_each_gets_their_own(service: Service) -> None:
    people = [await service.regular(name) for name in ("Eve", "Fritz")]
    sent = [
        await one.send(picture())
        for one, picture in zip(people, (portrait, two_portraits), strict=True)
    ]
    await people[1].tap("1", await people[1].sees("2 faces"))
    cards = await asyncio.gather(*(one.sees("Which movement?") for one in people))
    await asyncio.gather(*(one.tap("Blink", card) for one, card in zip(people, cards, strict=True)))
    for one, photo, width in zip(people, sent, (200, 400), strict=True):
        (video,) = await one.videos()
        assert video["reply_to_message"]["message_id"] == photo["message_id"]
        assert media.shown(await one.file_of(video))[0] == width


async def test_order_that_runs_is_cancelled(service: Service) -> None:
    dora = await service.regular()
    await dora.send(portrait())
    await dora.tap("Show me all", await dora.sees("Which movement?"))
    await dora.tap("Cancel", await dora.sees("9 movements\n"))
    await dora.sees("9 movements: cancelled.")


async def test_result_is_shared_to_another_chat_and_made_round(service: Service) -> None:
    dora, edgar = await service.regular("Fay"), await service.newcomer("Edgar")
    await dora.send(portrait())
    await dora.tap("Blink", await dora.sees("Which movement?"))
    (video,) = await dora.videos()
    await dora.sees("Blink: done in")
    button = video["reply_markup"]["inline_keyboard"][0][0]
    query = button["switch_inline_query_chosen_chat"]["query"]
    where = {"user_id": dora.person, "chat_id": -1001}
    told = await service.desk.post("inline", query=query, **where)
    (result,) = told["answer"]["results"]
    assert result["mpeg4_file_id"] == video["animation"]["file_id"]
    shared = {"inline_query_id": told["inline_query_id"], "result_id": result["id"], **where}
    message = (await service.desk.post("chosen", **shared))["message"]
    assert message["caption"] == video["caption"]
    empty = await service.desk.post("inline", query=query, user_id=edgar.person)
    assert empty["answer"]["results"] == []
    await dora.tap("Other forms", video)
    while "Round video" not in str(await service.desk.messages(dora.person)):
        await asyncio.sleep(0.02)
    (video,) = await dora.videos()
    await dora.tap("Round video", video)
    await dora.sees("Made with AI", count=2)
    messages = await service.desk.messages(dora.person)
    (note,) = [one["video_note"] for one in messages if "video_note" in one]
    assert note["length"] == 384
    made = await service.desk.file(note["file_id"])
    assert media.shown(made)[:2] == (384, 384)
    assert is_marked(made), "the circle shows a mark of its own"
    assert "thumbnail" in note
