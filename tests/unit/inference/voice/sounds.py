"""Sounds made of numbers: vowels, noise, music."""

import numpy as np
import numpy.typing as npt

from inference.voice.features import SAMPLE_RATE, Samples

Doubles = npt.NDArray[np.float64]

FORMANTS = {
    "a": (730, 1090, 2440, 3400),
    "i": (270, 2290, 3010, 3600),
    "u": (300, 700, 2240, 3300),
}
_BANDWIDTHS = (80, 100, 120, 150)


def times(duration_s: float) -> Doubles:
    """The times of the samples, s."""
    return np.arange(round(duration_s * SAMPLE_RATE)) / SAMPLE_RATE


def silence(duration_s: float) -> Samples:
    return np.zeros(round(duration_s * SAMPLE_RATE), np.float32)


def noise(duration_s: float, level: float = 0.1) -> Samples:
    random = np.random.default_rng(1)
    return (level * random.standard_normal(len(times(duration_s)))).astype(np.float32)


def harmonics(pitch: Doubles | float, count: int, duration_s: float) -> Doubles:
    """A tone of that pitch, Hz, whose harmonic h has the amplitude 1 / h."""
    phase = np.cumsum(np.broadcast_to(pitch, len(times(duration_s)))) / SAMPLE_RATE
    total = np.zeros(len(phase))
    for harmonic in range(1, count + 1):
        total += np.sin(2 * np.pi * harmonic * phase) / harmonic
    return total


def vowel(name: str, duration_s: float = 0.5) -> Samples:
    """A pulse train of 120 Hz through four resonators."""
    size = round(duration_s * SAMPLE_RATE)
    pulses = np.zeros(size)
    pulses[:: SAMPLE_RATE // 120] = 1
    turn = np.exp(-2j * np.pi * np.fft.rfftfreq(2 * size))
    spectrum = np.fft.rfft(pulses, 2 * size)
    for formant, bandwidth in zip(FORMANTS[name], _BANDWIDTHS, strict=True):
        radius = np.exp(-np.pi * bandwidth / SAMPLE_RATE)
        pole = radius * np.exp(2j * np.pi * formant / SAMPLE_RATE)
        spectrum /= (1 - pole * turn) * (1 - pole.conjugate() * turn)
    sound = np.fft.irfft(spectrum)[:size]
    return np.asarray(0.1 * sound / sound.std(), np.float32)


def vowels() -> Samples:
    """The vowels a, i, u of .5 s each from .4 s on, .15 s apart."""
    gap = silence(0.15)
    lead = silence(0.4)
    return np.concatenate([lead, vowel("a"), gap, vowel("i"), gap, vowel("u"), lead])


def carrier(duration_s: float) -> Samples:
    """A tone between .4 s of silence on either side."""
    tone = 0.1 * harmonics(120.0, 29, duration_s)
    return np.concatenate([silence(0.4), tone, silence(0.4)]).astype(np.float32)


def drums(duration_s: float) -> Samples:
    """A beat of 60 Hz and one of noise in turn, two a second."""
    sound = np.zeros(len(times(duration_s)))
    beat = times(0.15)
    decay = 0.5 * np.exp(-beat / 0.04)
    for index, at_s in enumerate(np.arange(0, duration_s - 0.2, 0.5)):
        start = round(at_s * SAMPLE_RATE)
        hit = noise(0.15, 1.0) if index % 2 else np.sin(2 * np.pi * 60 * beat)
        sound[start : start + len(beat)] += decay * hit
    return sound.astype(np.float32)


def strings(duration_s: float) -> Samples:
    """Four tones with vibrato."""
    vibrato = 1 + 0.01 * np.sin(2 * np.pi * 5.5 * times(duration_s))
    tones = [harmonics(pitch * vibrato, 6, duration_s) for pitch in (196, 247, 294, 392)]
    return np.asarray(0.05 * np.sum(tones, axis=0), np.float32)


def melody(name: str) -> Samples:
    """Nine notes of a flute, a violin or a clarinet, with vibrato; 5 s."""
    flute = {1: 1.0, 2: 0.35, 3: 0.12, 4: 0.04}
    violin = {number: (1 + 0.5 * np.sin(1.7 * number)) / number for number in range(1, 18)}
    clarinet = {number: 1 / number for number in range(1, 11, 2)}
    partials = {"flute": flute, "violin": violin, "clarinet": clarinet}[name]
    parts = []
    for pitch in (294, 330, 370, 440, 392, 330, 294, 247, 294):
        at_s = times(0.55)
        phase = np.cumsum(2 * np.pi * pitch * (1 + 0.006 * np.sin(32 * at_s))) / SAMPLE_RATE
        note = sum(level * np.sin(number * phase) for number, level in partials.items())
        parts.append(0.1 * note * np.minimum(1, np.minimum(at_s, 0.55 - at_s) / 0.05))
    return np.concatenate(parts).astype(np.float32) + noise(9 * 0.55, 0.001)


def mains_hum(pitch: float, duration_s: float) -> Samples:
    """A hum with all harmonics, as of a transformer or a cable without a shield."""
    hum = 0.05 * harmonics(pitch, 30, duration_s)
    return hum.astype(np.float32) + noise(duration_s, 0.001)


def music(duration_s: float) -> Samples:
    """Chords, a square melody and drums."""
    chords = np.sum([harmonics(pitch, 5, duration_s) for pitch in (131, 165, 196)], axis=0)
    notes = np.random.default_rng(3).choice([262.0, 294.0, 330.0, 392.0], 2 * int(duration_s) + 1)
    pitch = np.repeat(notes, SAMPLE_RATE // 2)[: len(chords)]
    melody = np.sign(np.sin(2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE))
    return np.asarray(0.05 * chords + 0.1 * melody + drums(duration_s) / 2, np.float32)
