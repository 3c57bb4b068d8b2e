"""A face that speaks: seconds of work per second of sound, and memory, at three lengths.

The sound is babble made of numbers: syllables of a hiss and a vowel with random formants.
"""

import statistics
import sys
import tempfile
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

from benchmarks.run import CLI, run

LENGTHS_S = (5, 20, 60)
_RATE = 16_000
_PITCH_HZ = 120
# What the gate's child does with a sound.
_ANALYSIS = """
import sys
from pathlib import Path
from inference.media.sound import normalise_sound
from inference.voice.analysis import analyse
from inference.voice.sound import read_sound
analyse(read_sound(normalise_sound(Path(sys.argv[1]), Path(sys.argv[2])).path))
"""


def measure_voice(photo: Path, count: int) -> Iterator[tuple[str, str, str, str]]:
    """Yield (part, time, processor time, memory) of `count` runs each; times per s of sound."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for length_s in LENGTHS_S:
            sound = str(babble(folder / f"{length_s}.wav", length_s))
            analysis = (sys.executable, "-c", _ANALYSIS, sound, str(folder / "voice.m4a"))
            whole = (*CLI, "animate", "--quiet", "--engine", "mesh", "--source_image", str(photo))
            output = ("--voice", sound, "--output", str(folder / "result.mp4"))
            for part, command in (("analysis", analysis), ("whole run", (*whole, *output))):
                runs = [run(command) for _ in range(count)]
                yield (
                    f"{part}, {length_s} s",
                    f"{statistics.median(one.elapsed_s for one in runs) / length_s:.2f} s/s",
                    f"{statistics.median(one.cpu_s for one in runs) / length_s:.2f} CPU s/s",
                    f"{max(one.peak_mb for one in runs):.0f} MB",
                )


def babble(path: Path, length_s: int) -> Path:
    """Write a WAV file of that length; about every fourth syllable is a pause."""
    random = np.random.default_rng(length_s)
    parts: list[npt.NDArray[np.float64]] = []
    while sum(map(len, parts)) < length_s * _RATE:
        hiss = 0.05 * random.standard_normal(round(random.uniform(0.03, 0.1) * _RATE))
        pulses = np.zeros(round(random.uniform(0.08, 0.3) * _RATE))
        pulses[:: round(_RATE / _PITCH_HZ)] = 1
        lowest, second = random.uniform(270, 750), random.uniform(800, 2300)
        for formant, width in ((lowest, 80), (second, 100), (2800, 120), (3500, 150)):
            radius = np.exp(-np.pi * width / _RATE)
            turn = 2 * radius * np.cos(2 * np.pi * formant / _RATE)
            pulses = lfilter([1], [1, -turn, radius**2], pulses)
        voiced = 0.3 * pulses / np.abs(pulses).max()
        pause = np.zeros(round(random.uniform(0.2, 0.5) * _RATE) if random.random() < 0.25 else 0)
        parts += [hiss, voiced, pause]
    whole = np.concatenate(parts)[: length_s * _RATE]
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, _RATE, 0, "NONE", ""))
        sound.writeframes((32767 * np.clip(whole, -1, 1)).astype("<i2").tobytes())
    return path
