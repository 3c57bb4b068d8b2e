"""Read the normalised sound of a voice."""

from pathlib import Path

import numpy as np

from inference.media.ffmpeg import Ffmpeg, input_arguments
from inference.voice.features import SAMPLE_RATE, Samples
from jobs.errors import MediaDamaged
from jobs.findings import VOICE_MAX_S


def read_sound(path: Path) -> Samples:
    """Return a sound as (m,) float32 in -1..1, mono, 16,000 per second, at most `VOICE_MAX_S`.

    Args:
        path: what `inference/media/sound.py` wrote.

    Raises:
        MediaDamaged: it is something else.
        ProcessKilled: ffmpeg was killed from outside.
    """
    arguments = [
        *(*input_arguments(path), "-map", "0:a:0"),
        *("-ac", "1", "-ar", str(SAMPLE_RATE), "-f", "s16le", "pipe:1"),
    ]
    content = bytearray()
    part = memoryview(bytearray(1 << 16))
    with Ffmpeg(arguments, fetch=True) as ffmpeg:
        while count := ffmpeg.read_into(part):
            content += part[:count]
        status = ffmpeg.finish()
    if status != 0 or not content:
        raise MediaDamaged(name=path.name)
    whole = np.frombuffer(content, "<i2")[: VOICE_MAX_S * SAMPLE_RATE]
    return whole.astype(np.float32) / np.float32(32768)
