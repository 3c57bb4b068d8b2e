"""From samples to curves: what opens the mouth, what does not, and that nothing depends on luck."""

import json
import subprocess
import sys

import numpy as np
import pytest

from inference.voice import analysis
from inference.voice.analysis import analyse
from inference.voice.features import SAMPLE_RATE, Samples
from inference.voice.phones import has_phones
from inference.voice.speech import CURVES, Speech, SpeechChannel
from tests.conftest import Require
from tests.unit.inference.voice.sounds import (
    drums,
    harmonics,
    mains_hum,
    melody,
    music,
    noise,
    silence,
    strings,
    times,
    vowel,
    vowels,
)

MOUTH = list(SpeechChannel)[: list(SpeechChannel).index(SpeechChannel.BROW)]
HEAD = (SpeechChannel.YAW, SpeechChannel.PITCH, SpeechChannel.ROLL)
AT_A, AT_I, AT_U = slice(13, 20), slice(29, 36), slice(46, 52)
GAPS = (23, 39)


@pytest.fixture
def phones(require_hardware: Require) -> None:
    """Skip where there is no build of pocketsphinx for this machine."""
    require_hardware(has_phones(), "pocketsphinx is not installed; there is no build for all")


@pytest.fixture
def no_phones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analysis, "recognise_phones", lambda _: None)


def peak(speech: Speech, channel: SpeechChannel, part: slice) -> float:
    return float(speech.curve(channel)[part].max())


HUM = (0.003 * np.sin(2 * np.pi * 50 * times(8))).astype(np.float32)


@pytest.mark.parametrize("sound", [silence(8), HUM, noise(8)], ids=["silence", "hum", "noise"])
def test_a_face_keeps_its_mouth_shut_and_lives_while_nobody_speaks(sound: Samples) -> None:
    speech = analyse(sound)
    assert speech.frame_count == 200
    for channel in MOUTH:
        assert not speech.curve(channel).any(), channel
    assert speech.curve(SpeechChannel.BLINK).max() > 0.9
    assert np.ptp(speech.curve(SpeechChannel.YAW)) > 0.5


@pytest.mark.usefixtures("phones")
@pytest.mark.parametrize("make", [drums, strings, music])
def test_instruments_open_no_mouth(make: object) -> None:
    assert callable(make)
    jaw = analyse(make(12)).curve(SpeechChannel.JAW)
    assert jaw.max() < 0.05


@pytest.mark.usefixtures("phones")
@pytest.mark.parametrize("name", ["flute", "violin", "clarinet"])
def test_the_melody_of_an_instrument_opens_no_mouth(name: str) -> None:
    speech = analyse(melody(name))
    for channel in MOUTH:
        assert speech.curve(channel).max() < 0.02, channel


@pytest.mark.usefixtures("phones")
def test_a_voice_is_heard_before_and_after_a_melody() -> None:
    said = np.concatenate([vowels(), vowels(), silence(0.5)])
    speech = analyse(np.concatenate([said, melody("flute"), melody("violin"), said]))
    jaw, count = speech.curve(SpeechChannel.JAW), len(said) * 25 // SAMPLE_RATE
    assert min(jaw[:count].max(), jaw[-count:].max()) > 0.7
    assert jaw[count + 50 : -count - 50].max() < 0.02


@pytest.mark.usefixtures("phones")
@pytest.mark.parametrize("pitch", [50, 60, 100, 120])
def test_a_mains_hum_with_its_harmonics_opens_no_mouth(pitch: float) -> None:
    speech = analyse(mains_hum(pitch, 5))
    for channel in MOUTH:
        assert not speech.curve(channel).any(), channel


@pytest.mark.usefixtures("phones")
def test_a_hum_beneath_a_voice_keeps_no_mouth_open() -> None:
    said = np.concatenate([vowels(), silence(1.5), vowels()])
    jaw = analyse(said + 0.03 * mains_hum(100, len(said) / SAMPLE_RATE)).curve(SpeechChannel.JAW)
    middle = len(jaw) // 2
    assert jaw[:middle].max() > 0.7
    assert jaw[middle - 10 : middle + 10].max() < 0.02


@pytest.mark.usefixtures("phones")
def test_the_lips_are_at_rest_between_sung_notes() -> None:
    note = vowel("a", 0.7) * np.minimum(1, np.minimum(times(0.7), 0.7 - times(0.7)) / 0.03)
    other = vowel("i", 0.7) * np.minimum(1, np.minimum(times(0.7), 0.7 - times(0.7)) / 0.03)
    notes = [silence(0.4), *[note, silence(0.25), other, silence(0.25)] * 3]
    speech = analyse(np.concatenate(notes).astype(np.float32))
    assert speech.curve(SpeechChannel.JAW).max() > 0.7
    for channel in (SpeechChannel.TEETH, SpeechChannel.BITE):
        assert speech.curve(channel).max() < 0.02, channel


@pytest.mark.usefixtures("phones")
def test_a_long_i_is_wide_and_not_round() -> None:
    speech = analyse(np.concatenate([silence(0.4), vowel("i", 3), silence(0.4)]))
    middle = slice(15, 60)
    assert speech.curve(SpeechChannel.WIDE)[middle].min() > 0.5
    assert speech.curve(SpeechChannel.ROUND).max() < 0.1


@pytest.mark.usefixtures("phones")
def test_vowels_have_their_shapes() -> None:
    speech = analyse(vowels())
    assert peak(speech, SpeechChannel.JAW, AT_A) > 0.8
    assert peak(speech, SpeechChannel.JAW, AT_I) < 0.5
    assert peak(speech, SpeechChannel.WIDE, AT_I) > 0.6
    assert peak(speech, SpeechChannel.ROUND, AT_I) < 0.1
    assert peak(speech, SpeechChannel.ROUND, AT_U) > 0.4
    assert peak(speech, SpeechChannel.WIDE, AT_U) < 0.1
    for gap in GAPS:
        assert speech.curve(SpeechChannel.JAW)[gap] < 0.2


@pytest.mark.usefixtures("phones")
@pytest.mark.parametrize("lead_s", [0.0, 0.4])
@pytest.mark.parametrize("duration_s", [0.5, 2.0])
def test_a_single_vowel_opens_the_mouth(duration_s: float, lead_s: float) -> None:
    lead = silence(lead_s)
    speech = analyse(np.concatenate([lead, vowel("a", duration_s), lead]))
    jaw = speech.curve(SpeechChannel.JAW)
    assert jaw[len(jaw) // 2] > 0.8
    assert peak(speech, SpeechChannel.ROUND, slice(None)) < 0.1


@pytest.mark.usefixtures("phones")
def test_a_vowel_said_three_times_opens_the_mouth_three_times() -> None:
    said = np.concatenate([silence(0.4), *[vowel("a"), silence(0.3)] * 3, silence(0.4)])
    jaw = analyse(said).curve(SpeechChannel.JAW)
    assert all(jaw[start + 10 : start + 22].max() > 0.8 for start in (0, 20, 40))
    assert all(jaw[gap] < 0.2 for gap in (26, 46))


@pytest.mark.usefixtures("phones")
def test_a_tone_without_formants_opens_no_mouth() -> None:
    tone = 0.05 * np.sin(2 * np.pi * 100 * times(4))
    assert not analyse(tone.astype(np.float32)).curve(SpeechChannel.JAW).any()


@pytest.mark.usefixtures("no_phones")
def test_without_phones_loudness_and_bands_shape_the_vowels() -> None:
    speech = analyse(vowels())
    assert peak(speech, SpeechChannel.JAW, AT_A) > 1.5 * peak(speech, SpeechChannel.JAW, AT_I)
    assert peak(speech, SpeechChannel.WIDE, AT_I) > 0.3 > peak(speech, SpeechChannel.WIDE, AT_U)
    for gap in GAPS:
        assert speech.curve(SpeechChannel.JAW)[gap] < 0.25
    assert not analyse(noise(2)).curve(SpeechChannel.JAW).any()


@pytest.mark.usefixtures("phones")
def test_a_whisper_moves_the_mouth_as_far_as_a_shout() -> None:
    loud = analyse(vowels()).curve(SpeechChannel.JAW)
    quiet = analyse(vowels() / np.float32(30)).curve(SpeechChannel.JAW)
    assert np.corrcoef(loud, quiet)[0, 1] > 0.9
    assert quiet.max() > 0.8 * loud.max()


def test_the_same_samples_give_the_same_curves_and_others_do_not() -> None:
    sound = vowels()
    first = analyse(sound)
    analyse(np.concatenate([sound, sound])[::-1])
    np.testing.assert_array_equal(analyse(sound.copy()).values, first.values)

    sound[100] += np.float32(1 / 32768)
    assert (analyse(sound).curve(SpeechChannel.YAW) != first.curve(SpeechChannel.YAW)).any()


def test_a_speech_begins_and_ends_on_the_photo_and_stays_in_its_limits() -> None:
    speech = analyse(np.concatenate([vowels()] * 3))
    assert ((speech.values >= CURVES.low) & (speech.values <= CURVES.high)).all()
    for channel in HEAD:
        curve = np.abs(speech.curve(channel))
        assert max(curve[0], curve[-1]) < 0.05 * curve.max()
    for channel in (SpeechChannel.BLINK, SpeechChannel.BROW, SpeechChannel.GAZE_X):
        assert speech.curve(channel)[[0, -1]].max() < 0.01


@pytest.mark.parametrize(("duration_s", "count"), [(0.05, 2), (0.3, 8), (1.0, 25)])
def test_the_pictures_cover_the_sound(duration_s: float, count: int) -> None:
    tone = (harmonics(150.0, 20, duration_s) / 10).astype(np.float32)
    for sound in (tone, noise(duration_s)):
        speech = analyse(sound)
        assert speech.frame_count == count
        assert np.isfinite(speech.values).all()


def test_a_steady_hiss_is_taken_out_before_it_counts() -> None:
    clean = analyse(vowels()).curve(SpeechChannel.JAW)
    hissing = analyse(vowels() + noise(len(vowels()) / SAMPLE_RATE, 0.01))
    assert np.corrcoef(clean, hissing.curve(SpeechChannel.JAW))[0, 1] > 0.8


MEASURED = """
import json, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
import numpy as np
from inference.voice.analysis import analyse
from tests.unit.inference.voice.sounds import vowels
once = np.tile(vowels(), 23)[:int(sys.argv[1]) * 16000]
speech = analyse(once)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([speech.frame_count, peak]))
"""


def measured(seconds: int) -> tuple[int, int]:
    """Analyse that much sound in a process of 1 GB: pictures, peak memory in KB."""
    command = [sys.executable, "-c", MEASURED, str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    count, peak_kb = json.loads(done.stdout)
    return count, peak_kb


@pytest.mark.usefixtures("phones")
def test_memory_is_flat_in_the_length_and_a_gigabyte_of_addresses_is_enough() -> None:
    (_, short), (count, long) = measured(21), measured(41)
    assert count == 41 * 25
    # The samples themselves are 64 KB per second in each of a few copies.
    assert long < 1.25 * short
