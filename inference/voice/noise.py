"""Take a steady hiss out of a sound."""

import numpy as np
import numpy.typing as npt

from inference.voice.features import SAMPLE_RATE, Samples, windows

_SIZE, _HOP = 512, 128
_OVERLAP = 1.5  # sum of the squared bells that overlap in a sample
_PIECE = 20 * SAMPLE_RATE // _HOP * _HOP
_CONTEXT = 16 * _HOP  # samples beside a piece that its result depends on
_LEAST_GAIN = 0.08
_FLOOR_PERCENTILE, _FLOOR_STEP = 10, 4

Spectra = npt.NDArray[np.complex64]


def without_steady_noise(samples: Samples) -> Samples:
    """Return the sound with less of what is always there (Wiener filter).

    Args:
        samples: (m,) in -1..1, `SAMPLE_RATE` per second.
    """
    floors = [_power(_spectra(part))[1][::_FLOOR_STEP] for part in _pieces(samples)]
    floor = 1.25 * np.percentile(np.concatenate(floors), _FLOOR_PERCENTILE, axis=0)
    result = np.empty_like(samples)
    for start in range(0, len(samples), _PIECE):
        before = min(start, _CONTEXT)
        part = _filtered(samples[start - before : start + _PIECE + _CONTEXT], floor)
        kept = result[start : start + _PIECE]
        kept[:] = part[before : before + len(kept)]
    return result


def _pieces(samples: Samples) -> list[Samples]:
    return [samples[start : start + _PIECE] for start in range(0, len(samples), _PIECE)]


def _spectra(samples: Samples) -> Spectra:
    blocks = [np.fft.rfft(block) for block in windows(samples, _SIZE, _HOP)]
    return np.asarray(np.concatenate(blocks), np.complex64)


def _power(spectra: Spectra) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """The power of each spectrum, and its mean over 9 of them."""
    power = np.square(np.abs(spectra))
    sums = np.cumsum(np.pad(power, ((5, 4), (0, 0)), mode="edge"), axis=0, dtype=np.float64)
    return power, np.asarray((sums[9:] - sums[:-9]) / 9, np.float32)


def _filtered(samples: Samples, floor: npt.NDArray[np.floating]) -> Samples:
    spectra = _spectra(samples)
    power, steady = _power(spectra)
    gain = np.maximum(1 - 1.5 * floor / (0.5 * power + 0.5 * steady + 1e-12), _LEAST_GAIN)
    padded = np.pad(gain, ((0, 0), (1, 1)), mode="edge")
    gain = 0.25 * padded[:, :-2] + 0.5 * gain + 0.25 * padded[:, 2:]
    parts = np.fft.irfft(spectra * gain, _SIZE) * np.hanning(_SIZE)
    total = np.zeros(len(samples) + 2 * _SIZE)
    for index, part in enumerate(parts):
        total[index * _HOP : index * _HOP + _SIZE] += part
    return np.asarray(total[_SIZE // 2 :][: len(samples)] / _OVERLAP, np.float32)
