"""The page "More": choices before an order, and variations of one that was delivered."""

from dataclasses import replace

import pytest

from bot.callback_data import ButtonAction
from bot.drafts.choices import Choices, View, view_box
from bot.gateway.updates import MediaFile
from jobs.model import CropBox, Face
from tests.integration.bot import talk as talks
from tests.integration.bot.parts import working
from tests.integration.bot.running import until
from tests.integration.bot.talk import Message, Talk, labels, tap_of, text_of
from tests.integration.sandbox.desk import BOB

pytestmark = pytest.mark.local_sockets
newcomers = talks.newcomers
talk = talks.talk

FACE = Face(number=1, box=CropBox(left=300, upper=300, right=500, lower=500), votes=3)
SECOND = Face(number=2, box=CropBox(left=700, upper=500, right=800, lower=600), votes=3)
LARGE = (900, 1200)


async def card_of(talk: Talk) -> tuple[Message, Message]:
    """A photo that has just been sent, and its card."""
    talk.worker.photo_size, talk.worker.faces = LARGE, (FACE,)
    photo = await talk.photo()
    return photo, await talk.shows("Which movement?")


async def page_of(talk: Talk) -> tuple[Message, Message]:
    """The same, with the page "More" open."""
    photo, card = await card_of(talk)
    await talk.tap("More", card)
    return photo, await talk.shows("These choices apply to your next videos")


async def ordered(talk: Talk) -> Message:
    """The video of a photo that has just been sent."""
    await talk.tap("😊", (await card_of(talk))[1])
    (video,) = await talk.videos()
    await talk.shows("done in")  # from then on, its card has no movements
    return video


async def buttons_of(talk: Talk, message: Message, label: str) -> Message:
    """The message as soon as it has a button with this label."""
    found: list[Message] = []

    async def is_there() -> bool:
        all_of_them = await talk.said()
        found[:] = [one for one in all_of_them if one["message_id"] == message["message_id"]]
        return label in str(labels(found[0]))

    await until(is_there)
    return found[0]


# --- before an order ------------------------------------------------------------------------------


async def test_choices_hold_for_the_next_videos_of_a_photo(talk: Talk) -> None:
    photo, page = await page_of(talk)
    await talk.tap("More movement", page)
    page = await talk.shows("Strength of the movement: 125 %")
    await talk.tap("Portrait", page)
    page = await buttons_of(talk, page, "✓ 👤 Portrait")
    await talk.tap("Back", page)
    await talk.tap("😊", await talk.shows("Which movement?"))
    await talk.tap("😉", await talk.another((await talk.videos())[0]))
    await talk.videos(count=2)
    box = view_box(View.PORTRAIT, [FACE.box], *LARGE)
    assert box is not None
    for order in talk.worker.orders:
        assert (order.wish.view, order.wish.options) == (box, {"strength": 1.25})
    assert (await talk.draft_of(photo)).choices == Choices(strength=1.25, view=View.PORTRAIT)


async def test_engine_is_chosen_by_what_it_does(talk: Talk) -> None:
    async with working(talk.parts, replace(talk.worker), "fomm"):
        await until(lambda: _engines_are(talk, 2))
        photo, page = await page_of(talk)
        assert "Livelier: fomm" in text_of(page)
        assert ["✓ Livelier", "Sharper"] in labels(page)
        await talk.tap("Sharper", page)
        await buttons_of(talk, page, "✓ Sharper")
    assert (await talk.draft_of(photo)).engine == "mesh"


async def _engines_are(talk: Talk, count: int) -> bool:
    return len((await talk.parts.services.offers.now()).engines) == count


async def test_another_part_of_a_long_clip_is_looked_at(talk: Talk) -> None:
    talk.worker.clip_frames = 375
    photo, _card = await card_of(talk)
    draft = await talk.draft_of(photo)
    clip = MediaFile(file_id=draft.photo.file_id, name="clip.mp4", duration_s=23)
    await talk.media_handler.set_lead(draft, clip)
    card = await talk.shows("Your clip, or another movement?")
    await talk.tap("More", card)
    page = await talk.shows("These choices apply to your next videos")
    rows = labels(page)
    assert ["✓ From 0 s", "From 5 s", "From 10 s"] in rows
    assert ["From 15 s", "From 20 s"] in rows
    await talk.tap("From 10 s", page)
    card = await talk.shows("Your clip, or another movement?")
    assert [look.clip_start_s for look in talk.worker.looks][-2:] == [0.0, 10.0]
    await talk.tap("Follow my clip", card)
    await talk.videos()
    # Another clip begins at its beginning.
    await talk.media_handler.set_lead(
        await talk.draft_of(photo), clip.model_copy(update={"name": "other.mp4"})
    )
    await until(lambda: len(talk.worker.looks) == 4)
    assert talk.worker.looks[-1].clip_start_s == 0.0


# --- under a result -------------------------------------------------------------------------------


async def test_result_is_made_again_closer_to_the_face(talk: Talk) -> None:
    video = await ordered(talk)
    before = labels(video)
    await talk.tap("More", video)
    page = await buttons_of(talk, video, "🔍 Face")
    assert ["✓ 🖼 Whole picture", "👤 Portrait", "🔍 Face"] in labels(page)
    await talk.tap("🔍 Face", page)
    await talk.videos(count=2)
    first, second = (order.wish for order in talk.worker.orders)
    assert second.view == view_box(View.FACE, [FACE.box], *LARGE)
    assert second.model_copy(update={"view": None}) == first
    answer = await talk.tap("🔍 Face", page)
    assert answer["text"] == "You have ordered this already."
    await talk.tap("Back", page)
    assert labels(await buttons_of(talk, video, "Share")) == before


async def test_clips_sound_can_be_left_out_and_its_pose_taken(talk: Talk) -> None:
    talk.worker.has_sound = True
    await card_of(talk)
    await talk.clip()
    await talk.tap("Follow my clip", await talk.shows("Your clip, or another movement?"))
    (video,) = await talk.videos()
    await talk.tap("More", video)
    page = await buttons_of(talk, video, "No sound")
    await talk.tap("No sound", page)
    await talk.videos(count=2)
    await talk.tap("The clip's pose too", page)
    await talk.videos(count=3)
    first, silent, posed = (order.wish for order in talk.worker.orders)
    assert (first.audio, silent.audio, posed.audio) == (True, False, True)
    assert "relative" not in silent.options
    assert posed.options["relative"] is False


async def test_another_part_of_the_clip_is_ordered_by_one_tap(talk: Talk) -> None:
    talk.worker.clip_frames = 375
    photo, _card = await card_of(talk)
    draft = await talk.draft_of(photo)
    clip = MediaFile(file_id=draft.photo.file_id, name="clip.mp4", duration_s=23)
    await talk.media_handler.set_lead(draft, clip)
    await talk.tap("Follow my clip", await talk.shows("Your clip, or another movement?"))
    (video,) = await talk.videos()
    await talk.tap("More", video)
    page = await buttons_of(talk, video, "10 s")
    await talk.tap("10 s", page)
    await talk.videos(count=2)
    assert [look.clip_start_s for look in talk.worker.looks][-2:] == [0.0, 10.0]


async def test_result_is_made_again_by_another_engine(talk: Talk) -> None:
    video = await ordered(talk)
    other = replace(talk.worker, orders=[], looks=[])
    async with working(talk.parts, other, "fomm"):
        await until(lambda: _engines_are(talk, 2))
        await talk.tap("More", video)
        await talk.tap("Livelier", await buttons_of(talk, video, "Livelier"))
        await talk.videos(count=2)
    assert [order.engine for order in other.orders] == ["fomm"]


async def test_another_face_of_the_photo_is_a_tap_away(talk: Talk) -> None:
    talk.worker.faces = (FACE, SECOND)
    talk.worker.photo_size = LARGE
    await talk.photo()
    await talk.tap("1", await talk.shows("Which one should I animate?"))
    await talk.tap("😊", await talk.shows("Which movement?"))
    (video,) = await talk.videos()
    await talk.tap("More", video)
    await talk.tap("Another face", await buttons_of(talk, video, "Another face"))
    card = await talk.shows("Which one should I animate?")
    assert card["message_id"] > video["message_id"]


async def test_forged_variations_order_nothing(talk: Talk) -> None:
    await talk.agree(BOB)
    photo, card = await card_of(talk)
    draft = await talk.draft_of(photo)
    for argument in ("view all", "start x", "engine fog", ""):
        await talk.tap_data(tap_of(ButtonAction.OPTION, draft, argument))
    answer = await talk.tap_data(tap_of(ButtonAction.OPTION, draft, "more"), BOB)
    assert answer["text"]
    assert (await talk.draft_of(photo)).choices == Choices()
    await talk.tap("😊", card)
    await talk.videos()
    for argument, reply in (("engine fog", "no longer available"), ("view all", "already")):
        answer = await talk.tap_data(tap_of(ButtonAction.OPTION, draft, argument))
        assert reply in answer["text"]
    assert len(talk.worker.orders) == 1


async def test_variation_whose_files_must_be_fetched_again_changes_one_order_only(
    talk: Talk,
) -> None:
    video = await ordered(talk)
    await talk.parts.services.store.delete([talk.worker.orders[0].wish.photo.file])
    await talk.tap("More", video)
    answer = await talk.tap("Portrait", await buttons_of(talk, video, "Portrait"))
    assert "fetching the photo again" in answer["text"]
    portrait = (await talk.videos(count=2))[1]
    await talk.tap("😉", await talk.another(portrait))
    await talk.videos(count=3)
    views = [order.wish.view for order in talk.worker.orders]
    assert views == [None, view_box(View.PORTRAIT, [FACE.box], *LARGE), None]
