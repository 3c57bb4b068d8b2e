"""Nods, brows and blinks of a speaking face."""

from dataclasses import replace

import numpy as np

from inference.voice.analysis import analyse
from inference.voice.articulation import articulate
from inference.voice.features import Features
from inference.voice.idle import idle_curves, pauses_of, stresses
from inference.voice.shapes import targets_of
from inference.voice.speech import SpeechChannel
from tests.unit.inference.voice.sounds import harmonics, silence, vowel, vowels

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
    np.testing.assert_allclose(pauses_of(loudness), [(1.0, 1.3)])


def test_pitch_is_that_of_the_tone() -> None:
    tone = np.concatenate([silence(0.5), harmonics(220.0, 12, 1.0) / 10, silence(0.5)])
    pitch = Features.of(tone.astype(np.float32)).pitch
    np.testing.assert_allclose(pitch[60:140], 220, rtol=0.03)
    assert not pitch[:40].any()


def test_eyes_wander_off_at_the_ends_of_phrases_only_and_come_back() -> None:
    phrase = np.concatenate([vowels(), silence(0.6)])
    sound = np.concatenate([phrase] * 12)
    speech = analyse(sound)
    aside = np.abs(speech.curve(SpeechChannel.GAZE_X))
    assert 0.25 <= aside.max() <= 0.5
    looks_away = np.flatnonzero((aside[1:] > 0) & (aside[:-1] == 0)) / 25
    assert 2 <= len(looks_away) <= 10
    starts = [start for start, _ in pauses_of(Features.of(sound).loudness)]
    for time_s in looks_away:
        assert min(abs(time_s - start) for start in starts) < 0.2
    assert np.diff(looks_away).min() > 4
    assert (aside == 0).mean() > 0.6
    assert not aside[:12].any()
    assert not aside[-12:].any()


def test_a_song_is_nodded_to_more_calmly_than_speech() -> None:
    features = Features.of(SYLLABLES)
    mouth = articulate(targets_of(None, features), features, 210)
    brows = [
        idle_curves(features, replace(mouth, sung=sung), np.random.default_rng(1))[
            SpeechChannel.BROW
        ].max()
        for sung in (0.0, 1.0)
    ]
    assert 0 < brows[1] < 0.7 * brows[0]


def test_the_head_rises_for_a_breath_before_a_phrase() -> None:
    sound = np.concatenate([silence(2), vowel("a", 1.0), silence(2)])
    features = Features.of(sound)
    mouth = articulate(targets_of(None, features), features, 125)
    with_breath = idle_curves(features, mouth, np.random.default_rng(1))[SpeechChannel.PITCH]
    breathless = replace(features, loudness=np.maximum(features.loudness, 0.07))
    without = idle_curves(breathless, mouth, np.random.default_rng(1))[SpeechChannel.PITCH]
    rise = without - with_breath
    assert 0.3 < rise[42:52].max() < 0.7
    assert abs(rise[25]) < 0.1
