"""The normalised sound of a voice is read as samples."""

from pathlib import Path

import numpy as np
import pytest

from inference.media.sound import normalise_sound
from inference.voice.features import SAMPLE_RATE, Samples
from inference.voice.sound import read_sound
from jobs.errors import MediaDamaged
from tests.unit.inference.media.sounds import encode


def tone(duration_s: float) -> Samples:
    """A tone of 1 kHz from 1 s on."""
    times_s = np.arange(round(duration_s * SAMPLE_RATE)) / SAMPLE_RATE
    return np.asarray(0.5 * np.sin(2000 * np.pi * times_s) * (times_s >= 1), np.float32)


def normalised(samples: Samples, folder: Path) -> Path:
    source = encode(folder / "a.wav", samples, rate=SAMPLE_RATE)
    return normalise_sound(source, folder / "voice.m4a").path


def test_samples_are_those_of_the_original(tmp_path: Path) -> None:
    played = tone(2)
    heard = read_sound(normalised(played, tmp_path))
    assert heard.dtype == np.float32
    assert len(heard) == pytest.approx(len(played), abs=1)
    assert np.argmax(np.abs(heard) > 0.2) / SAMPLE_RATE == pytest.approx(1, abs=0.001)
    assert np.sqrt(np.mean(heard[20_000:31_000] ** 2)) == pytest.approx(0.5 / 2**0.5, rel=0.02)


def test_channels_are_mixed(tmp_path: Path) -> None:
    left = np.stack([tone(2), 0 * tone(2)], axis=1)
    assert np.abs(read_sound(normalised(left, tmp_path))).max() == pytest.approx(0.25, rel=0.1)


def test_what_an_encoder_adds_to_a_minute_is_dropped(tmp_path: Path) -> None:
    assert len(read_sound(normalised(tone(60.05), tmp_path))) == 60 * SAMPLE_RATE


def test_anything_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "voice.m4a").write_bytes(b"something else")
    with pytest.raises(MediaDamaged):
        read_sound(tmp_path / "voice.m4a")
