"""Making of sounds for tests."""

import subprocess
from pathlib import Path

import numpy as np
import numpy.typing as npt

from inference.media.ffmpeg import executable

RATE = 48_000
CLICKS_S = (1.0, 2.0, 3.0)

Samples = npt.NDArray[np.float32]


def encode(path: Path, samples: Samples, *arguments: str, rate: int = RATE) -> Path:
    """Write mono samples (n,) or several channels (n, c) to a file; its suffix is the format."""
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    source = ("-f", "f32le", "-ar", str(rate), "-ac", str(channels), "-i", "pipe:0")
    command = [executable(), "-v", "error", "-y", *source, *arguments, str(path)]
    raw = np.ascontiguousarray(samples, np.float32).tobytes()
    subprocess.run(command, input=raw, check=True)
    return path


def decode(path: Path) -> Samples:
    """The first channel of a file's sound, 48 kHz, as a player plays it from time zero."""
    command = [executable(), "-v", "error", "-i", str(path), "-map", "0:a:0"]
    sound = ["-af", "aresample=async=1:first_pts=0,pan=mono|c0=c0", "-ar", str(RATE)]
    done = subprocess.run(
        [*command, *sound, "-f", "f32le", "pipe:1"], stdout=subprocess.PIPE, check=True
    )
    return np.frombuffer(done.stdout, np.float32)


def clicks(length_s: float = 3.5, rate: int = RATE) -> Samples:
    """Silence with a short click at each of `CLICKS_S`."""
    samples = np.zeros(round(length_s * rate), np.float32)
    for time_s in CLICKS_S:
        times_s = np.arange(round(0.004 * rate)) / rate
        at = round(time_s * rate)
        samples[at : at + len(times_s)] = 0.8 * np.sin(2 * np.pi * 1500 * times_s)
    return samples


def click_errors_ms(path: Path) -> list[float]:
    """How much later than `CLICKS_S` each click begins, ms."""
    heard = np.abs(decode(path))
    errors = []
    for time_s in CLICKS_S:
        begin, end = round((time_s - 0.3) * RATE), round((time_s + 0.3) * RATE)
        part = heard[begin:end]
        first = int(np.argmax(part > 0.3 * part.max()))
        errors.append(1000 * ((begin + first) / RATE - time_s))
    return errors
