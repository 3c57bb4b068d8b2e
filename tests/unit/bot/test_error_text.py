"""What people read of errors."""

import pytest

from bot.error_text import OURS, error_text
from bot.gateway.updates import MediaFile
from bot.orders.card_text import cancel_text
from bot.texts import ENGLISH
from jobs.errors import (
    AnimatoError,
    ClipTooLong,
    DiskFull,
    EmptyFile,
    EncoderFailed,
    FaceBoxOutside,
    MediaTooLarge,
    NoFaceFound,
    NoFaceInBox,
    NoFaceInClip,
    NoSound,
    NoSuchFace,
    NotSeamless,
    PhotoTooSmall,
    SoundTooLong,
    SoundTooShort,
    UnknownTemplate,
    UnsupportedSound,
)
from jobs.queues.outcomes import CancelOutcome
from jobs.service_errors import OrderStalled, QueueFull, StoreUnavailable

PERSONS_OWN: list[AnimatoError] = [
    NoFaceFound(name="a.jpg"),
    NoFaceInBox(),
    NoFaceInClip(name="a.mp4"),
    NoSuchFace(number=3, count=2),
    FaceBoxOutside(box="1,2,3,4", width=10, height=10, minimum=64),
    NotSeamless(name="nod"),
    UnknownTemplate(name="nod", known="shake"),
    ClipTooLong(name="a.mp4", duration_s=20.0, limit_s=15.0),
    UnsupportedSound(name="a.ogg"),
    NoSound(name="a.ogg"),
    SoundTooShort(name="a.ogg", limit_s=0.3),
    SoundTooLong(name="a.ogg", limit_s=60.0),
    EmptyFile(name="a.jpg"),
    MediaTooLarge(name="a.jpg", size_mb="21.0", limit_mb=20),
    PhotoTooSmall(name="a.jpg", width=9, height=9, minimum=64),
    QueueFull(waiting=500),
]


@pytest.mark.parametrize("error", PERSONS_OWN, ids=lambda error: type(error).__name__)
def test_persons_own_error_says_what_to_do_and_nothing_of_a_command_line(
    error: AnimatoError,
) -> None:
    told = error_text(error, ENGLISH)
    assert "--" not in told
    assert "{" not in told
    assert told != OURS


@pytest.mark.parametrize(
    "error",
    [
        EncoderFailed(reason="no codec"),
        DiskFull(path="/secret/place"),
        StoreUnavailable(place="bucket", reason="it refuses the keys"),
        OrderStalled(order="c7-a-1"),
    ],
)
def test_error_of_ours_is_never_told_in_detail(error: AnimatoError) -> None:
    assert error_text(error, ENGLISH) == OURS


def test_limit_is_told_in_numbers() -> None:
    told = error_text(MediaTooLarge(name="a.mov", size_mb="21.0", limit_mb=20), ENGLISH)
    assert "21.0 MB" in told
    assert "20 MB" in told


def test_file_that_is_too_large_gets_the_advice_for_its_kind() -> None:
    error = MediaTooLarge(name="a", size_mb="21.0", limit_mb=20)
    leads = (
        None,
        MediaFile(file_id="a", name="a"),
        MediaFile(file_id="a", name="a", is_voice=True),
    )
    photo, clip, voice = (error_text(error, ENGLISH, lead) for lead in leads)
    assert voice.endswith("Send a shorter recording.")
    assert ("as a photo" in photo, "shorter clip" in photo) == (True, False)
    assert ("as a photo" in clip, "shorter clip" in clip) == (False, True)


def test_what_became_of_cancelling_is_told_in_four_ways() -> None:
    assert len({cancel_text(outcome, ENGLISH) for outcome in CancelOutcome}) == 4
    assert "nothing to cancel" in cancel_text(CancelOutcome.UNKNOWN, ENGLISH)
