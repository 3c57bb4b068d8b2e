"""Files: ids, downloads, limits, through both libraries."""

import hashlib

import pytest

from tests.integration.sandbox import media
from tests.integration.sandbox.clients import Client, heard, refused
from tests.integration.sandbox.desk import ALICE, Desk, Part

pytestmark = [pytest.mark.local_sockets, pytest.mark.usefixtures("alice")]


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
