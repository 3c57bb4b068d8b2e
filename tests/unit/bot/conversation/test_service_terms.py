import gettext
from contextlib import nullcontext

import pytest

from bot.conversation.media_handler import ServiceTerms
from bot.drafts.intake import CLOUD_LIMIT_BYTES
from bot.error_text import error_text
from bot.gateway.updates import MediaFile
from bot.texts import Texts, speaking
from jobs.errors import ClipTooLong, MediaTooLarge

TERMS = ServiceTerms("@owner", 24, 24, file_bytes=CLOUD_LIMIT_BYTES)


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        (MediaFile(file_id="x", name="a.mov", size_bytes=20_000_001), MediaTooLarge),
        (MediaFile(file_id="x", name="a.mov", size_bytes=20_000_000, duration_s=60), None),
        (MediaFile(file_id="x", name="a.mov", duration_s=60.1), ClipTooLong),
        (MediaFile(file_id="x", name="a.mov"), None),
    ],
)
def test_limits_are_told_before_anything_is_fetched(
    file: MediaFile, kind: type[Exception] | None
) -> None:
    with pytest.raises(kind) if kind else nullcontext():
        TERMS.check(file, 15)


def test_file_just_above_the_limit_is_not_said_to_be_at_it() -> None:
    with pytest.raises(MediaTooLarge) as refusal:
        TERMS.check(MediaFile(file_id="x", name="a.mov", size_bytes=20_000_001), 15)
    assert refusal.value.fields == {"name": "a.mov", "size_mb": 20.1, "limit_mb": 20}


def test_size_is_written_as_in_the_language() -> None:
    texts = Texts({"de": gettext.NullTranslations()})
    with pytest.raises(MediaTooLarge) as refusal:
        TERMS.check(MediaFile(file_id="x", name="a.mov", size_bytes=25_300_000), 15)
    with speaking("de"):
        assert "a.mov is 25,3 MB, but I can accept at most 20 MB." in error_text(
            refusal.value, texts
        )
