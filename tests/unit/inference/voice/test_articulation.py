"""How a mouth goes from phone to phone; the numbers were measured on a prototype."""

import math

import numpy as np

from inference.voice.articulation import Articulation, articulate, limit_speed
from inference.voice.features import SAMPLE_RATE, Features
from inference.voice.phones import Phone
from inference.voice.shapes import targets_of
from jobs.findings import SPEECH_FRAME_RATE
from tests.unit.inference.voice.sounds import carrier

MOUTH = ("wide", "round", "upper", "lower", "teeth", "seal", "bite")


def spoken(*phones: tuple[str, float]) -> Articulation:
    """Phones of some length, s, after .4 s of silence, as the picture shows them."""
    sound = carrier(sum(length for _, length in phones))
    features = Features.of(sound - sound.mean())
    segments = [Phone("SIL", 0, 40)]
    for label, length in (*phones, ("SIL", 0.4)):
        start = segments[-1].end
        segments.append(Phone(label, start, start + round(100 * length)))
    count = math.ceil(len(sound) * SPEECH_FRAME_RATE / SAMPLE_RATE)
    return articulate(targets_of(segments, features), features, count)


def test_a_vowel_opens_the_jaw_and_nothing_else() -> None:
    mouth = spoken(("AA", 0.3))
    opening = [0.01, 0.10, 0.39, 0.73, 1.07, 1.26, 1.28, 1.25, 1.06, 0.72, 0.38, 0.06]
    np.testing.assert_allclose(mouth.jaw[7:19], opening, atol=0.05)
    for name in MOUTH:
        assert getattr(mouth, name).max() < 0.11, name


def test_a_b_between_vowels_shuts_the_lips_where_it_is_heard() -> None:
    mouth = spoken(("AA", 0.2), ("B", 0.06), ("AA", 0.2))
    np.testing.assert_allclose(mouth.seal[14:17], [0.84, 1, 1], atol=0.05)
    assert mouth.seal[:14].max() < 0.01
    assert mouth.seal[17:].max() < 0.01
    assert mouth.jaw[14:17].max() < 0.4


def test_a_short_b_is_not_lost_between_two_pictures() -> None:
    for shift in range(8):
        mouth = spoken(("AA", 0.2 + shift / 100), ("B", 0.02), ("AA", 0.2))
        assert mouth.seal.max() > 0.99


def test_a_short_vowel_between_shut_lips_is_seen() -> None:
    mouth = spoken(("AH", 0.2), ("P", 0.06), ("AA", 0.11), ("P", 0.06), ("AH", 0.2))
    of_vowel = mouth.seal[16:20]
    assert of_vowel.min() < 0.1


def test_vowel_that_fades_into_a_pause_shuts_no_lips_but_a_last_p_does() -> None:
    assert spoken(("AA", 0.3), ("P", 0.04)).seal.max() == 0
    assert spoken(("AA", 0.3), ("P", 0.04), ("AA", 0.2)).seal.max() > 0.99
    assert spoken(("AA", 0.3), ("P", 0.08)).seal.max() > 0.9


def test_u_between_vowels_rounds_the_lips() -> None:
    mouth = spoken(("AA", 0.2), ("UW", 0.3), ("AA", 0.2))
    assert mouth.round.max() > 0.95
    assert mouth.jaw[18] < 0.4


def test_s_shows_the_teeth() -> None:
    mouth = spoken(("AA", 0.2), ("S", 0.12), ("AA", 0.2))
    assert mouth.teeth.max() > 0.8
    assert mouth.jaw[15:17].min() <= 0.4


def test_f_brings_the_teeth_to_the_lip() -> None:
    mouth = spoken(("AA", 0.2), ("F", 0.1), ("AA", 0.2))
    assert (mouth.bite > 0.99).sum() == 3
    assert mouth.seal.max() == 0


def test_a_diphthong_goes_from_its_first_vowel_to_its_second() -> None:
    mouth = spoken(("AW", 0.5))
    assert mouth.jaw[11:15].max() > 2 * mouth.jaw[19]
    assert mouth.round[20] > 0.8
    assert mouth.round[11] < 0.2


def test_a_noise_that_is_no_phone_takes_the_shape_that_is_heard() -> None:
    mouth = spoken(("AA", 0.3), ("+SPN+", 0.3), ("AA", 0.3))
    assert mouth.jaw[19:21].min() > 0.1


def test_a_jaw_never_jumps() -> None:
    jaw = limit_speed(np.array([0.0, 0, 1.2, 1.2, 1.2, 1.2, 1.2, 0, 0, 0, 0, 0]))
    assert np.abs(np.diff(jaw)).max() <= 0.34 + 1e-9
    # As late as it is early.
    np.testing.assert_allclose(jaw[:9], jaw[8::-1], atol=1e-9)


def test_held_vowels_are_a_song_and_short_ones_are_not() -> None:
    assert spoken(("AA", 0.8), ("N", 0.1), ("OW", 0.9)).sung == 1
    assert spoken(("AA", 0.2), ("N", 0.1), ("OW", 0.25), ("T", 0.1)).sung == 0
