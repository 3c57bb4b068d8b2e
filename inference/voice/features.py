"""What a sound is like over time: loudness, pitch and the balance of its bands.

Everything is measured in frames of 10 ms; frame i is centred at i * 10 ms.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inference.smoothstep import smoothstep
from inference.voice.instruments import is_played
from inference.voice.smoothing import Curve, smooth

Samples = npt.NDArray[np.float32]

SAMPLE_RATE = 16_000
HOP = 160
"""Samples from one frame to the next."""
FRAME_RATE = SAMPLE_RATE // HOP

_WINDOW, _FFT = 400, 512
_FRAMES_AT_ONCE = 2000
_BANDS_HZ = {
    "low": (80, 300),
    "f1": (300, 1000),
    "mid": (1000, 2500),
    "f3": (2500, 4000),
    "hi": (4000, 7800),
    "voice": (150, 4000),
}
_SILENCE_DBFS = -52.0
# Of loudness, dB: between these levels, relative to what is loud nearby, it goes from 0 to 1.
_QUIET, _LOUD = 30.0, 2.0
_NEARBY_S, _NEARBY_STEP_S = 4.0, 0.5
_SMALLEST_RANGE_DB = 6.0
_HEARD, _NOTE = 0.15, 0.3
_AUDIBLE = 0.1
_STEADY_DB = 2.6
_PITCH_WINDOW = 320  # at half the sample rate
_LOWEST_HZ, _HIGHEST_HZ = 70, 450
_VOICED = 0.45
_OCTAVE_COST = 0.03
_CLEAR, _HUM_DB = 0.8, 30.0  # a tone has nothing above its pitch
_END_FRAMES, _HELD_FRAMES, _HELD_DB = 10, 250, 0.7  # of a hum
_TONE, _ONE_VOICE = 0.9, 0.5  # shares of frames of one clear pitch, of all and of the loud ones


@dataclass(frozen=True, eq=False)
class Features:
    """Measurements of a sound, (n,) each.

    Attributes:
        bands: dB of each band of `_BANDS_HZ`.
        loudness: 0..1, relative to what is loud in this sound.
        pitch: fundamental frequency, Hz; 0 where the sound has none.
        openness: 0..1, energy of the first formant against the lowest band.
        brightness: 0..1, energy of the third formant against the first.
        middle: 0..1, energy of the second formant against the first.
        hiss: 0..1, energy above the formants.
        is_clear: whether one pitch explains the sound; none does in drums and chords.
        is_played: whether it is the melody of an instrument.
    """

    bands: dict[str, Curve]
    loudness: Curve
    pitch: Curve
    openness: Curve
    brightness: Curve
    middle: Curve
    hiss: Curve
    is_clear: npt.NDArray[np.bool_]
    is_played: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.loudness)

    @property
    def is_loud(self) -> npt.NDArray[np.bool_]:
        """Which frames are loud for this sound."""
        return self.loudness > _AUDIBLE

    @property
    def has_steady_noise(self) -> bool:
        """Whether a hiss that does not change is heard behind everything else."""
        if _is_tone(self.is_clear):
            return False
        smoothed = (smooth(self.bands[name], 2) for name in ("mid", "f3", "hi"))
        spreads = [float(np.subtract(*np.percentile(band, (25, 3)))) for band in smoothed]
        return sum(spreads) / len(spreads) < _STEADY_DB

    @property
    def is_one_voice(self) -> bool:
        """Whether what is loud mostly has one pitch, and is no instrument."""
        clear = (self.is_clear & ~self.is_played)[self.is_loud]
        return len(clear) > 0 and float(clear.mean()) > _ONE_VOICE

    @classmethod
    def of(cls, samples: Samples) -> "Features":
        """Measure a sound.

        Args:
            samples: (m,) in -1..1, `SAMPLE_RATE` per second.
        """
        bands = _bands(samples)
        pitch, is_clear = _pitch(samples)
        is_clear &= bands["f1"] > bands["low"] - _HUM_DB
        loudness = (
            np.zeros(len(bands["voice"]))
            if is_silent(samples) or _is_hum(bands["voice"])
            else _loudness(bands["voice"], has_pauses=not _is_tone(is_clear))
        )
        heard = loudness > _HEARD
        return cls(
            bands,
            loudness,
            np.where(loudness > 0.05, pitch, 0.0),
            openness=_relative(bands["f1"] - bands["low"], (-7, 6), heard),
            brightness=_relative(bands["f3"] - bands["f1"], (-24, 2), heard),
            middle=_relative(bands["mid"] - bands["f1"], (-16, 1), heard),
            hiss=smoothstep((bands["hi"] - bands["f1"] - 3) / 8),
            is_clear=is_clear,
            is_played=is_played(bands, np.where(is_clear, pitch, 0.0), loudness > _NOTE),
        )


def _is_tone(is_clear: npt.NDArray[np.bool_]) -> bool:
    """Whether there is one pitch nearly all the time, such as in a long vowel without pauses."""
    return float(is_clear.mean()) > _TONE


def _is_hum(voice: Curve) -> bool:
    """Whether the level stays the same for longer than anybody holds a vowel."""
    level = smooth(voice, 2)[_END_FRAMES:-_END_FRAMES]
    return len(level) > _HELD_FRAMES and bool(np.ptp(np.percentile(level, (1, 99))) < _HELD_DB)


def is_silent(samples: Samples) -> bool:
    """Return whether nobody would hear anything."""
    padded = np.pad(np.square(samples), (0, -len(samples) % HOP))
    powers = padded.reshape(-1, HOP).mean(axis=1)
    return float(np.percentile(powers, 95)) < 10 ** (_SILENCE_DBFS / 10)


def windows(samples: Samples, size: int, hop: int) -> Iterator[npt.NDArray[np.float32]]:
    """Yield blocks (k, size) of windows under a Hann bell; window i is centred at i * hop."""
    count = len(samples) // hop + 1
    padded = np.pad(samples, (size // 2, size))
    view = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop][:count]
    bell = np.hanning(size).astype(np.float32)
    for start in range(0, count, _FRAMES_AT_ONCE):
        yield view[start : start + _FRAMES_AT_ONCE] * bell


def _bands(samples: Samples) -> dict[str, Curve]:
    """The energy of each band, dB."""
    frequencies = np.fft.rfftfreq(_FFT, 1 / SAMPLE_RATE)
    masks = np.array(
        [(low <= frequencies) & (frequencies < high) for low, high in _BANDS_HZ.values()]
    )
    sums = []
    for block in windows(samples, _WINDOW, HOP):
        power = np.square(np.abs(np.fft.rfft(block, _FFT)))
        sums.append(power @ masks.T.astype(np.float32))
    levels = 10 * np.log10(np.concatenate(sums).astype(np.float64) + 1e-9)
    return dict(zip(_BANDS_HZ, levels.T, strict=True))


def _loudness(voice: Curve, *, has_pauses: bool) -> Curve:
    level = smooth(voice, 2)
    quiet, peak = np.percentile(level, (10, 95))
    # Without pauses, what is quietest is not the background.
    noise = quiet if has_pauses else -np.inf
    reach, step = round(_NEARBY_S * FRAME_RATE), round(_NEARBY_STEP_S * FRAME_RATE)
    centres = np.arange(0, len(level) + step, step)
    nearby = [np.percentile(level[max(0, at - reach) : at + reach + 1], 95) for at in centres]
    loud = np.maximum(np.interp(np.arange(len(level)), centres, nearby), peak - 12)
    low = np.maximum(loud - _QUIET, noise + 5)
    high = np.maximum(loud - _LOUD, low + 6)
    return np.asarray(np.clip((level - low) / (high - low), 0, 1), np.float64)


def _relative(difference: Curve, usual: tuple[float, float], heard: npt.NDArray[np.bool_]) -> Curve:
    """A difference of bands, dB: 0..1 in its range in this sound.

    Where it is steady, it counts in its range in speech, `usual`.
    """
    smoothed = smooth(difference, 3)
    low, high = np.percentile(smoothed[heard], (10, 90)) if heard.any() else (0.0, 0.0)
    missing = max(0.0, _SMALLEST_RANGE_DB - (high - low))
    place = ((low + high) / 2 - usual[0]) / (usual[1] - usual[0])
    begin = low - missing * min(max(place, 0.0), 1.0)
    return np.asarray(np.clip((smoothed - begin) / (high - low + missing), 0, 1), np.float64)


def _pitch(samples: Samples) -> tuple[Curve, npt.NDArray[np.bool_]]:
    """The fundamental frequency by autocorrelation, Hz, 0 where there is none; and is it clear."""
    even = len(samples) // 2 * 2
    half = samples[:even].reshape(-1, 2).mean(axis=1)
    rate = SAMPLE_RATE // 2
    lags = np.arange(rate // _HIGHEST_HZ, rate // _LOWEST_HZ + 1)
    bell = np.hanning(_PITCH_WINDOW)
    of_bell = np.correlate(bell, bell, "full")[_PITCH_WINDOW - 1 :]
    of_bell = of_bell / of_bell[0]
    found, clear = [], []
    for block in windows(half, _PITCH_WINDOW, HOP // 2):
        power = np.square(np.abs(np.fft.rfft(block, _FFT)))
        correlation = np.fft.irfft(power, _FFT)
        heights = correlation[:, lags] / np.maximum(correlation[:, :1], 1e-9) / of_bell[lags]
        # Whatever repeats after a lag does so after its multiples.
        best = (heights - _OCTAVE_COST * np.log2(lags)).argmax(axis=1)
        height = heights[np.arange(len(best)), best]
        found.append(np.where(height > _VOICED, rate / lags[best], 0.0))
        clear.append(height > _CLEAR)
    return np.concatenate(found), np.concatenate(clear)
