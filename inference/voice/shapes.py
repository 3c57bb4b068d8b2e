"""From phones to the targets that jaw and lips aim at, for each frame of 10 ms."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from inference.smoothstep import smoothstep
from inference.voice.features import Features
from inference.voice.phones import Phone
from inference.voice.smoothing import Curve

Mask = npt.NDArray[np.bool_]


class Shape(NamedTuple):
    """How a mouth is shaped for a phone; its first six values are of 0..1.

    Attributes:
        jaw: how far it is open.
        wide: corners of the mouth apart.
        round: lips forward and round.
        upper: upper lip raised.
        lower: lower lip down.
        teeth: rows of teeth together.
        jaw_weight: how much the jaw insists on this against the neighbouring phones.
        lip_weight: likewise for the lips.
    """

    jaw: float = 0.0
    wide: float = 0.0
    round: float = 0.0
    upper: float = 0.0
    lower: float = 0.0
    teeth: float = 0.0
    jaw_weight: float = 1.0
    lip_weight: float = 1.0


_SHAPES = {
    "AA": Shape(1.0, 0.1),
    "AE": Shape(0.85, 0.35, 0, 0.15, 0.2),
    "AH": Shape(0.6, 0.1),
    "AO": Shape(0.75, 0, 0.5),
    "EH": Shape(0.6, 0.3, 0, 0.1, 0.15),
    "ER": Shape(0.38, 0, 0.4),
    "IH": Shape(0.36, 0.45, 0, 0.1, 0.15),
    "IY": Shape(0.25, 0.8, 0, 0.15, 0.25),
    "UH": Shape(0.36, 0, 0.6),
    "UW": Shape(0.26, 0, 1.0),
    "W": Shape(0.14, 0, 1.0, lip_weight=1.4),
    "Y": Shape(0.22, 0.6),
    "SIL": Shape(lip_weight=0.6),
    "T": Shape(0.22, 0.15, 0, 0.05, 0.1, 0.4, 0.6, 0.3),
    "D": Shape(0.24, 0.15, 0, 0.05, 0.1, 0.3, 0.6, 0.3),
    "N": Shape(0.26, 0.1, 0, 0.05, 0.1, 0, 0.6, 0.3),
    "L": Shape(0.38, 0.1, jaw_weight=0.5, lip_weight=0.3),
    "K": Shape(0.3, 0.1, jaw_weight=0.4, lip_weight=0.2),
    "G": Shape(0.3, 0.1, jaw_weight=0.4, lip_weight=0.2),
    "NG": Shape(0.3, 0.1, jaw_weight=0.4, lip_weight=0.2),
    "HH": Shape(0.4, 0.1, jaw_weight=0.15, lip_weight=0.1),
    "R": Shape(0.28, 0, 0.45, jaw_weight=0.5),
    "S": Shape(0.13, 0.4, 0, 0.25, 0.35, 1.0, 1.2, 0.7),
    "Z": Shape(0.14, 0.35, 0, 0.2, 0.3, 0.9, 1.2, 0.7),
    "SH": Shape(0.17, 0, 0.6, 0.3, 0.3, 0.9, 1.2),
    "ZH": Shape(0.17, 0, 0.6, 0.25, 0.3, 0.8, 1.2),
    "CH": Shape(0.16, 0, 0.55, 0.25, 0.3, 0.9, 1.2),
    "JH": Shape(0.17, 0, 0.5, 0.2, 0.3, 0.8, 1.2),
    "TH": Shape(0.24, 0.15, 0, 0.1, 0.2, 0.6, 0.8, 0.5),
    "DH": Shape(0.26, 0.1, 0, 0.1, 0.15, 0.5, 0.6, 0.4),
    "F": Shape(0.13, 0.1, 0, 0.35, jaw_weight=1.2),
    "V": Shape(0.15, 0.1, 0, 0.3, jaw_weight=1.2),
    "M": Shape(0.07, 0.05, jaw_weight=1.2, lip_weight=0.4),
    "B": Shape(0.07, 0, 0.05, jaw_weight=1.2, lip_weight=0.4),
    "P": Shape(0.07, 0, 0.05, jaw_weight=1.2, lip_weight=0.4),
}
# Two vowels, and the share of the first one in the length.
_DIPHTHONGS = {
    "AW": ("AA", "UW", 0.55),
    "AY": ("AA", "IY", 0.6),
    "EY": ("EH", "IY", 0.5),
    "OW": ("AO", "UW", 0.5),
    "OY": ("AO", "IY", 0.55),
}
_VOWELS = {"AA", "AE", "AH", "AO", "EH", "ER", "IH", "IY", "UH", "UW", *_DIPHTHONGS}
_SHUT, _BITTEN = {"M", "B", "P"}, {"F", "V"}
_PAUSES = {"SIL", "+NSN+"}
_SOFT = {"TH", "DH"}  # silence between notes is mistaken for them
_INAUDIBLE, _NO_HISS = 0.05, 0.05
_SHORTEST_LAST = 6  # frames of shut lips before a pause; a shorter p is the end of a vowel
_UNKNOWN_WEIGHT, _NO_WEIGHT = 0.5, 0.2
_SUNG, _LONG_FRAMES = 0.35, (18, 48)  # long vowels open further


@dataclass(frozen=True, eq=False)
class Targets:
    """What jaw and lips aim at in each of n frames.

    Attributes:
        shapes: (n, 8), the columns are the fields of `Shape`.
        shut: (n,), whether the lips touch each other.
        bitten: (n,), whether the teeth touch the lower lip.
        vowel: (n,), whether it is a vowel.
        sung: (n,), whether it is no phone, but has one clear pitch, as high or long vowels do.
    """

    shapes: Curve
    shut: Mask
    bitten: Mask
    vowel: Mask
    sung: Mask

    def of(self, field: str) -> Curve:
        """Return one field of `Shape` over time, (n,)."""
        return np.asarray(self.shapes[:, Shape._fields.index(field)], np.float64)


def targets_of(phones: Sequence[Phone] | None, features: Features) -> Targets:
    """Return the targets of a sound.

    Args:
        phones: in order; None if they are not known, then the features alone shape the mouth.
        features: of the sound, n frames; they fill what the phones leave open.
    """
    count = len(features)
    heard = _heard_shapes(features)
    shapes = np.tile(Shape(jaw_weight=_NO_WEIGHT, lip_weight=_NO_WEIGHT), (count, 1))
    shut, bitten, vowel, sung = (np.zeros(count, np.bool_) for _ in range(4))
    if phones is None:
        return Targets(heard, shut, bitten, ~vowel, sung)
    labels = [phone.label for phone in phones]
    for (label, start, end), after in zip(phones, [*labels[1:], "SIL"], strict=True):
        part = slice(start, end)
        is_end = label in _SHUT and after in _PAUSES and end - start < _SHORTEST_LAST
        if is_end or (label in _SOFT and _is_nothing(features, part)):
            label = "SIL"  # noqa: PLW2901
        if label in _DIPHTHONGS:
            first, second, share = _DIPHTHONGS[label]
            middle = start + round(share * (end - start))
            shapes[start:middle] = _SHAPES[first]
            shapes[middle:end] = _SHAPES[second]
        elif label in _SHAPES:
            shapes[part] = _SHAPES[label]
        else:
            shapes[part] = heard[part]
            sung[part] = features.is_clear[part]
        if label in _VOWELS:
            shortest, longest = _LONG_FRAMES
            length = (end - start - shortest) / (longest - shortest)
            shapes[part, 0] *= 1 + _SUNG * smoothstep(length)
        shut[part] = label in _SHUT
        bitten[part] = label in _BITTEN
        vowel[part] = label in _VOWELS
    return Targets(shapes, shut, bitten, vowel, sung)


def _is_nothing(features: Features, part: slice) -> bool:
    """Whether nothing is heard for most of a part, no hiss either."""
    is_quiet = np.median(features.loudness[part]) < _INAUDIBLE
    return bool(is_quiet and features.hiss[part].max() < _NO_HISS)


def _heard_shapes(features: Features) -> Curve:
    """Shapes that fit the sound's bands, (n, 8)."""
    closed = 1 - 0.5 * features.openness
    bright = smoothstep((features.brightness - 0.45) / 0.5)
    dark = smoothstep((0.35 - features.brightness) / 0.35)
    thin = smoothstep((0.6 - features.middle) / 0.5)
    weight = np.full(len(features), _UNKNOWN_WEIGHT)
    fields = {
        "jaw": (0.25 + 0.6 * features.openness) * (1 - 0.7 * features.hiss),
        "wide": 0.7 * bright * closed,
        "round": 0.8 * dark * (1 - 0.6 * features.openness) * thin,
        "upper": 0.2 * features.hiss,
        "lower": 0.3 * features.hiss,
        "teeth": features.hiss,
        "jaw_weight": weight,
        "lip_weight": weight,
    }
    return np.stack([fields[field] for field in Shape._fields], axis=1)
