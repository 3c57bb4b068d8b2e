"""How a face speaks a sound.

samples -> features, phones -> targets -> articulation, idle motion -> curves (`Speech`)
"""

import math
import zlib

import numpy as np

from inference.voice.articulation import articulate
from inference.voice.features import SAMPLE_RATE, Features, Samples
from inference.voice.idle import idle_curves
from inference.voice.noise import without_steady_noise
from inference.voice.phones import recognise_phones
from inference.voice.shapes import targets_of
from inference.voice.speech import CURVES, Speech, SpeechChannel
from jobs.findings import SPEECH_FRAME_RATE

_FEW_VOWELS = 0.1  # as a share of what is loud; speech has more than twice as many


def analyse(samples: Samples) -> Speech:
    """Return how a face speaks a sound; the same samples give the same curves, bit for bit.

    Args:
        samples: (m,) in -1..1, mono, 16,000 per second; m > 0.
    """
    seed = zlib.crc32(np.clip(np.round(samples * 32768), -32768, 32767).astype("<i2").tobytes())
    sound = samples - samples.mean()
    features = Features.of(sound)
    if features.has_steady_noise:
        sound = without_steady_noise(sound)
        features = Features.of(sound)
    targets = targets_of(recognise_phones(sound), features)
    if features.is_one_voice and targets.vowel[features.is_loud].mean() < _FEW_VOWELS:
        targets = targets_of(recognise_phones(sound, adapt=False), features)
    count = math.ceil(len(samples) * SPEECH_FRAME_RATE / SAMPLE_RATE)
    mouth = articulate(targets, features, count)
    curves = {
        SpeechChannel.JAW: mouth.jaw,
        SpeechChannel.WIDE: mouth.wide,
        SpeechChannel.ROUND: mouth.round,
        SpeechChannel.UPPER_LIP: mouth.upper,
        SpeechChannel.LOWER_LIP: mouth.lower,
        SpeechChannel.TEETH: mouth.teeth,
        SpeechChannel.SEAL: mouth.seal,
        SpeechChannel.BITE: mouth.bite,
        SpeechChannel.SPEAKING: mouth.speaking,
        **idle_curves(features, mouth, np.random.default_rng(seed)),
    }
    rest = np.zeros(count)
    values = np.stack([curves.get(channel, rest) for channel in SpeechChannel], axis=1)
    return Speech(CURVES.cut(values))
