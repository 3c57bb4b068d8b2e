"""A photo, then a voice message, then a video in which the face says it.

The whole service, behind a webhook.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import pytest_asyncio

from inference.faces.finder import find_faces, look_at_face
from inference.faces.head import lip_gaps, mouth_width
from inference.faces.loading import landmarker
from inference.voice.features import SAMPLE_RATE
from jobs.findings import SPEECH_FRAME_RATE
from tests.e2e.whole_service import Service, portrait, whole_service
from tests.integration.sandbox import media
from tests.integration.sandbox.desk import Part
from tests.unit.inference.media.sounds import RATE, Samples, decode, encode
from tests.unit.inference.voice.sounds import silence, vowel

pytestmark = [pytest.mark.local_sockets, pytest.mark.asyncio(loop_scope="module")]

Doubles = npt.NDArray[np.float64]

# Each of the vowels begins at a full second, and lasts half of it.
VOWELS, SECOND = "aia", SAMPLE_RATE
SPEECH = np.concatenate(
    [silence(1.0), *(np.concatenate([vowel(one, 0.5), silence(0.5)]) for one in VOWELS)]
)
DURATION_S = 1 + len(VOWELS)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            patch.delenv(name, raising=False)
            patch.delenv(name.upper(), raising=False)
        patch.setenv("PTB_TIMEDELTA", "true")
        async with whole_service(tmp_path_factory.mktemp("service"), is_pushed=True) as found:
            yield found


async def test_photo_then_voice_message_then_a_video_that_says_it(
    service: Service, tmp_path: Path
) -> None:
    dora = await service.regular()
    recording = encode(tmp_path / "voice.ogg", SPEECH, "-c:a", "libopus", rate=SAMPLE_RATE)
    await dora.send(portrait())
    await dora.sees("Which movement?")
    await dora.send(Part("voice", recording.read_bytes(), "voice.ogg"))
    await dora.tap("Say this", await dora.sees("Should the face say this"))
    (message,) = await dora.videos()
    assert "video" in message, "an animation would have lost its sound"
    assert message["caption"].startswith("🎤 Speaking\nMade with AI")
    assert "The voice comes from the recording that was sent" in message["caption"]
    await dora.sees("Speaking: done in")

    film = tmp_path / "film.mp4"
    film.write_bytes(await dora.file_of(message))
    width, height, frame_count = media.shown(film.read_bytes())
    assert (width, height) == (200, 200)
    assert frame_count == DURATION_S * SPEECH_FRAME_RATE
    assert abs(delay_s(decode(recording), decode(film))) < 0.020
    assert abs(onset_s(decode(film)) - 1.0) < 0.020
    gaps = mouth_gaps(film.read_bytes())
    second, place_s = np.divmod((np.arange(frame_count) + 0.5) / SPEECH_FRAME_RATE, 1)
    is_open = np.isin(second, (1, 3)) & (place_s < 0.5)
    is_wide_open = is_open & (place_s > 0.15) & (place_s < 0.4)
    is_shut = (second > 0) & (place_s > 0.65) & (place_s < 0.85)
    assert gaps[is_wide_open].min() > gaps[is_shut].max() + 0.05
    assert abs(best_lag(gaps, is_open.astype(float))) <= 1, "pictures"


async def test_audio_file_before_its_photo_is_said_by_it(service: Service, tmp_path: Path) -> None:
    dora = await service.regular()
    recording = encode(tmp_path / "song.mp3", SPEECH[: 2 * SECOND], rate=SAMPLE_RATE)
    await dora.send(Part("audio", recording.read_bytes(), "song.mp3"))
    await dora.sees("Now send me the photo that should say it")
    await dora.send(portrait())
    await dora.tap("Say this", await dora.sees("Should the face say this"))
    (message,) = await dora.videos()
    assert media.shown(await dora.file_of(message)) == (200, 200, 2 * SPEECH_FRAME_RATE)


async def test_text_file_called_ogg_is_told_by_its_name(service: Service) -> None:
    dora = await service.regular()
    photo = await dora.send(portrait())
    await dora.sees("Which movement?")
    file = Part("document", b"no sound at all\n" * 100, "voice.ogg")
    await dora.send(file, reply_to=photo["message_id"])
    await dora.sees("I cannot read voice.ogg as a recording")


def delay_s(before: Samples, after: Samples) -> float:
    """How much later the same sound is heard, s; both 48 kHz."""
    size = len(before) + len(after)
    product = np.fft.rfft(after, size) * np.fft.rfft(before, size).conjugate()
    lag = int(np.argmax(np.fft.irfft(product, size)))
    return (lag - size if lag > size / 2 else lag) / RATE


def onset_s(sound: Samples) -> float:
    """When a sound begins, s."""
    return float(np.argmax(np.abs(sound) > 0.1 * np.abs(sound).max())) / RATE


def mouth_gaps(video: bytes) -> Doubles:
    """How far the lips are apart in each picture, in mouth widths, as the landmarks say."""
    network, gaps, frames = landmarker(), [], list(media.frames(video))
    face = find_faces(frames[0], network)[0]
    for frame in frames:
        points = look_at_face(network, frame, face).points
        gaps.append(lip_gaps(points).max() / mouth_width(points))
    return np.array(gaps)


def best_lag(gaps: Doubles, spoken: Doubles) -> int:
    """The lag at which the mouth follows the sound best, pictures."""
    lags = range(-6, 7)
    shown = gaps - gaps.mean()
    return max(lags, key=lambda lag: float(shown @ np.roll(spoken - spoken.mean(), lag)))
