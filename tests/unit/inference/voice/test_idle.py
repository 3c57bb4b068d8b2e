"""Nods, brows and blinks of a speaking face."""

import numpy as np

from inference.voice.features import Features
from inference.voice.idle import pauses_of, stresses
from tests.unit.inference.voice.sounds import harmonics, silence, vowel

SYLLABLES = np.concatenate(
    [
        np.concatenate([vowel("a", 0.2) * (1.0 if index % 4 == 2 else 0.25), silence(0.15)])
        for index in range(24)
    ]
)


def test_loud_syllables_are_stressed_and_not_more_than_one_in_nine_tenths_of_a_second() -> None:
    features = Features.of(SYLLABLES)
    found = stresses(features, np.ones(300))
    loud_s = np.arange(2, 24, 4) * 0.35 + 0.1
    assert len(found) == len(loud_s)
    for stress, expected_s in zip(found, loud_s, strict=True):
        assert abs(stress.time_s - expected_s) < 0.1
        assert 0.25 <= stress.strength <= 1


def test_where_nobody_speaks_nothing_is_stressed() -> None:
    assert stresses(Features.of(SYLLABLES), np.zeros(300)) == []
    assert stresses(Features.of(silence(3)), np.ones(75)) == []


def test_pauses_are_found() -> None:
    loudness = np.concatenate([np.ones(100), np.zeros(30), np.ones(100), np.zeros(10), np.ones(9)])
    np.testing.assert_allclose(pauses_of(loudness), [1.0])


def test_pitch_is_that_of_the_tone() -> None:
    tone = np.concatenate([silence(0.5), harmonics(220.0, 12, 1.0) / 10, silence(0.5)])
    pitch = Features.of(tone.astype(np.float32)).pitch
    np.testing.assert_allclose(pitch[60:140], 220, rtol=0.03)
    assert not pitch[:40].any()
