"""What workers measured in a clip is deleted with the last photo that has the clip."""

import pytest

from jobs.store.keys import track_key
from tests.integration.bot import talk as talks
from tests.integration.bot.running import until
from tests.integration.bot.talk import Talk

pytestmark = pytest.mark.local_sockets
newcomers = talks.newcomers
talk = talks.talk


async def test_track_is_deleted_with_the_last_photo_that_has_the_clip(talk: Talk) -> None:
    store, cards, clips = talk.parts.services.store, [], []
    for count in (1, 2):
        photo = await talk.photo(seed=count)
        await talk.clip(reply_to=photo["message_id"])
        cards.append(await talk.shows("Your clip, or another movement?", count=count))
        look = (await talk.draft_of(photo)).look
        assert look is not None
        assert look.clip is not None
        clips.append(look.clip.file)
    track = str(track_key(clips[0]))
    await store.put(track, b"measured by a worker")

    async def is_gone(key: str) -> bool:
        return not await store.exists(key)

    await talk.tap("Cancel", cards[0])
    await until(lambda: is_gone(clips[0]))
    assert await store.exists(track)
    await talk.tap("Cancel", cards[1])
    await until(lambda: is_gone(clips[1]))
    assert await is_gone(track)
