"""The phones of a sound, recognised by pocketsphinx: how the mouth was shaped, and when.

Its model is of English. For lips that is enough in any language: they need to know whether the
mouth is shut, round, wide or open, and whether teeth touch a lip, not which phone it was.
"""

import logging
import os
from typing import Any, NamedTuple

import numpy as np

from inference.voice.bilabials import reconsider_lips
from inference.voice.features import FRAME_RATE, SAMPLE_RATE, Samples

log = logging.getLogger(__name__)

_PIECE_S = 20
_CUT_WITHIN = 0.4  # the last share of a piece, in which it is cut where it is quietest
_CUT_SAMPLES = SAMPLE_RATE // 20
_DITHER_DB = -50.0
_USUAL_LEVEL = 0.05 * 32768


class Phone(NamedTuple):
    """A stretch of sound.

    Attributes:
        label: of the CMU phone set, or a noise such as `+SPN+`.
        start: first frame of 10 ms.
        end: frame after the last one.
    """

    label: str
    start: int
    end: int


def has_phones() -> bool:
    """Return whether phones can be recognised here: pocketsphinx and its model are installed."""
    return _decoder() is not None


def recognise_phones(samples: Samples, *, adapt: bool = True) -> list[Phone] | None:
    """Return the phones of a sound in order, or None if they cannot be recognised.

    Args:
        samples: (m,) in -1..1, `SAMPLE_RATE` per second.
        adapt: compare the sound with its own mean, as suits unknown voices and microphones. A sound
            of one vowel is its own mean; it has to be compared with the mean of the model.
    """
    # A new one for each sound: it adapts to what it hears.
    decoder = _decoder(adapt=adapt)
    if decoder is None:
        return None
    found: list[Phone] = []
    whole = np.clip(np.round(samples * 32768), -32768, 32767)
    heard = whole[whole != 0]
    level = np.sqrt(np.square(heard).mean()) if len(heard) else 0.0
    if level and not adapt:
        whole, level = whole * (_USUAL_LEVEL / level), _USUAL_LEVEL
    # Closures of digital silence are misread; so they get a little noise.
    random = np.random.default_rng(1)
    for start, end in pieces(samples):
        noise = random.standard_normal(end - start) * max(1.0, 10 ** (_DITHER_DB / 20) * level)
        piece = np.clip(np.round(whole[start:end] + noise), -32768, 32767).astype("<i2")
        try:
            decoder.start_utt()
            decoder.process_raw(piece.tobytes(), no_search=False, full_utt=adapt)
            decoder.end_utt()
            segments = list(decoder.seg() or ())
            lengths = [(part.word, part.end_frame - part.start_frame + 1) for part in segments]
            labels = reconsider_lips(decoder, lengths, piece.tobytes())
        except RuntimeError as error:
            log.warning("the phones cannot be recognised (%s); loudness moves the mouth", error)
            return None
        first = round(start * FRAME_RATE / SAMPLE_RATE)
        found += [
            Phone(label, first + part.start_frame, first + part.end_frame + 1)
            for label, part in zip(labels, segments, strict=True)
        ]
    return found


def _decoder(*, adapt: bool = True) -> Any:
    """A new recogniser of phones, or None if there is none on this machine."""
    try:
        from pocketsphinx import Decoder, get_model_path  # noqa: PLC0415 - not on all machines

        return Decoder(
            hmm=get_model_path("en-us/en-us"),
            allphone=get_model_path("en-us/en-us-phone.lm.bin"),
            lm=None,
            dict=None,
            lw=1.5,
            beam=1e-20,
            pbeam=1e-20,
            cmn="batch" if adapt else "live",
            wbeam=1e-10,  # with the usual one, the second decoding takes minutes in music
            logfn=os.devnull,
        )
    except (ImportError, RuntimeError, ValueError) as error:
        log.warning("pocketsphinx cannot be used (%s); loudness alone moves the mouth", error)
        return None


def pieces(samples: Samples) -> list[tuple[int, int]]:
    """Return first and last + 1 sample of pieces of at most `_PIECE_S`, cut where it is quiet."""
    size = _PIECE_S * SAMPLE_RATE
    bounds = [0]
    while len(samples) - bounds[-1] > size:
        end = bounds[-1] + size
        low = end - round(_CUT_WITHIN * size)
        power = np.square(samples[low:end]).reshape(-1, _CUT_SAMPLES).mean(axis=1)
        bounds.append(low + int(power.argmin()) * _CUT_SAMPLES + _CUT_SAMPLES // 2)
    return list(zip(bounds, [*bounds[1:], len(samples)], strict=True))
