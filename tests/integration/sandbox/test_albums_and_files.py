"""Albums, and files over and over: ids, downloads, limits, through both libraries."""

import hashlib

import pytest

from tests.integration.sandbox import media
from tests.integration.sandbox.clients import Client, heard, refused
from tests.integration.sandbox.desk import ALICE, CLUB, Desk, Part

pytestmark = [pytest.mark.local_sockets, pytest.mark.usefixtures("alice")]


# --- albums ---------------------------------------------------------------------------------------


async def test_album_of_photos_and_videos_keeps_order_and_captions(client: Client) -> None:
    types = client.types
    messages = await client.bot.send_media_group(
        chat_id=ALICE,
        media=[
            types.InputMediaPhoto(
                media=client.attached(media.photo(), "a.jpg"),
                caption="<i>one</i>",
                parse_mode="HTML",
            ),
            types.InputMediaVideo(media=client.attached(media.clip(), "b.mp4"), caption="two"),
            types.InputMediaPhoto(media=client.attached(media.photo(seed=3), "c.jpg")),
        ],
    )
    one, two, three = messages
    assert len({message.media_group_id for message in messages}) == 1
    assert one.media_group_id
    assert (one.caption, two.caption, three.caption) == ("one", "two", None)
    assert one.caption_entities[0].type == "italic"
    # In an album, a silent video stays a video.
    assert [bool(message.photo) for message in messages] == [True, False, True]
    assert two.video.file_name == "b.mp4"
    assert [message.message_id for message in messages] == sorted(m.message_id for m in messages)


async def test_album_of_documents(client: Client) -> None:
    document = client.types.InputMediaDocument
    messages = await client.bot.send_media_group(
        chat_id=ALICE,
        media=[
            document(media=client.attached(text.encode(), f"{text}.txt")) for text in ("a", "b")
        ],
    )
    assert [message.document.file_name for message in messages] == ["a.txt", "b.txt"]
    contents = [await client.download(message.document.file_id) for message in messages]
    assert contents == [b"a", b"b"]


async def test_album_of_one_known_file_and_one_upload(client: Client, alice: Desk) -> None:
    photo = client.types.InputMediaPhoto
    known = await client.bot.send_photo(
        chat_id=ALICE, photo=client.file(media.photo(), "known.jpg")
    )
    file_id = known.photo[-1].file_id
    upload = client.attached(media.photo(seed=9), "new.jpg")
    first, second = await client.bot.send_media_group(
        chat_id=ALICE, media=[photo(media=file_id), photo(media=upload)]
    )
    assert first.photo[-1].file_unique_id == known.photo[-1].file_unique_id
    assert second.photo[-1].file_unique_id != known.photo[-1].file_unique_id
    (call,) = await alice.calls("sendMediaGroup")
    assert len(call["files"]) == 1


async def test_album_answers_and_lies_in_its_topic(client: Client, desk: Desk) -> None:
    await desk.post("members", chat_id=CLUB, status="administrator")
    thread = (await desk.post("topics", chat_id=CLUB, name="Pets"))["message_thread_id"]
    said = (await desk.say("cats?", chat_id=CLUB, thread_id=thread))["message"]["message_id"]
    photo = client.types.InputMediaPhoto
    messages = await client.bot.send_media_group(
        chat_id=CLUB,
        message_thread_id=thread,
        reply_parameters=client.types.ReplyParameters(message_id=said),
        media=[photo(media=client.attached(media.photo(seed=seed), "cat.jpg")) for seed in (1, 2)],
    )
    assert {message.message_thread_id for message in messages} == {thread}
    assert {message.reply_to_message.text for message in messages} == {"cats?"}


async def test_albums_that_cannot_be_are_refused_whole(client: Client, alice: Desk) -> None:
    types, send = client.types, client.bot.send_media_group
    photo = types.InputMediaPhoto(media=client.attached(media.photo(), "a.jpg"))
    letter = types.InputMediaDocument(media=client.attached(b"b", "b.txt"))
    with refused(client, 400, "document can't be mixed"):
        await send(chat_id=ALICE, media=[photo, letter])
    with refused(client, 400, "2-10 items"):
        await send(chat_id=ALICE, media=[photo])
    with refused(client, 400, "2-10 items"):
        await send(chat_id=ALICE, media=[photo] * 11)
    broken = types.InputMediaPhoto(media=client.attached(b"no picture", "a.jpg"))
    with refused(client, 400):
        await send(chat_id=ALICE, media=[photo, broken])
    assert await alice.transcript() == "Alice: /start\n"


# --- files ----------------------------------------------------------------------------------------


async def test_what_the_bot_sent_comes_back_byte_for_byte(client: Client, alice: Desk) -> None:
    content = media.clip(has_sound=True)
    message = await client.bot.send_video(chat_id=ALICE, video=client.file(content, "me.mp4"))
    again = await client.download(message.video.file_id)
    assert hashlib.sha256(again).digest() == hashlib.sha256(content).digest()
    assert await alice.file(message.video.file_id) == content


async def test_same_bytes_have_one_unique_id_and_two_file_ids(client: Client) -> None:
    sent = [
        await client.bot.send_animation(
            chat_id=ALICE, animation=client.file(media.clip(), f"{number}.mp4")
        )
        for number in range(2)
    ]
    one, two = [message.animation for message in sent]
    assert one.file_unique_id == two.file_unique_id
    assert one.file_id != two.file_id
    other = await client.bot.send_animation(
        chat_id=ALICE, animation=client.file(media.clip(seed=4), "other.mp4")
    )
    assert other.animation.file_unique_id != one.file_unique_id


async def test_sent_again_by_its_id_nothing_is_uploaded(client: Client, alice: Desk) -> None:
    video = client.file(media.clip(has_sound=True), "me.mp4")
    first = await client.bot.send_video(chat_id=ALICE, video=video)
    again = await client.bot.send_video(chat_id=ALICE, video=first.video.file_id, caption="again")
    assert again.video == first.video
    assert again.caption == "again"
    assert [len(call["files"]) for call in await alice.calls("sendVideo")] == [1, 0]


async def test_photo_of_a_person_can_be_sent_back(client: Client, desk: Desk) -> None:
    await desk.send(Part("photo", media.photo(400, 300), "me.jpg"))
    (update,) = await heard(client)
    largest = update.message.photo[-1]
    message = await client.bot.send_photo(chat_id=ALICE, photo=largest.file_id)
    assert message.photo[-1].file_unique_id == largest.file_unique_id


async def test_id_of_another_kind_is_refused(client: Client) -> None:
    sent = await client.bot.send_photo(chat_id=ALICE, photo=client.file(media.photo(), "a.jpg"))
    with refused(client, 400, "can't use file of type Photo as Video"):
        await client.bot.send_video(chat_id=ALICE, video=sent.photo[-1].file_id)


async def test_file_tells_its_size_and_path(client: Client) -> None:
    sent = await client.bot.send_document(chat_id=ALICE, document=client.file(b"four", "a.txt"))
    found = await client.bot.get_file(file_id=sent.document.file_id)
    assert found.file_size == 4
    assert found.file_unique_id == sent.document.file_unique_id
    assert found.file_path.endswith(".txt")
    with refused(client, 400, "wrong file identifier"):
        await client.bot.get_file(file_id="nothing")


async def test_file_over_20_mb_can_be_seen_but_not_fetched(client: Client, desk: Desk) -> None:
    limit = 20 * 2**20
    await desk.send(Part("document", bytes(limit), "fits.bin"))
    await desk.send(Part("document", bytes(limit + 1), "over.bin"))
    fits, over = [update.message.document for update in await heard(client)]
    assert (fits.file_size, over.file_size) == (limit, limit + 1)
    assert len(await client.download(fits.file_id)) == limit
    with refused(client, 400, "file is too big"):
        await client.bot.get_file(file_id=over.file_id)
