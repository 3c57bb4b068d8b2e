"""A second opinion on shut lips: the m, b and p that a decoder missed or imagined.

Phones are recognised with models that ignore their neighbours, which is fast but mistakes m for n
or v. Models of phones between their neighbours know how formants move towards shut lips. They are
used along the phones that were found: the sound is decoded once more, with a choice between similar
consonants at each place and the vowels as they were.
"""

from collections.abc import Iterator, Sequence
from typing import Any

_SIMILAR = (
    {"M", "N", "NG", "V", "W", "L", "DH", "B", "D", "G"},
    {"P", "T", "K", "B", "D", "G", "V", "F", "TH", "DH"},
)
_SHUT = {"M", "B", "P"}
_STOPS = {"N", "NG", "D", "G", "T", "K"}  # what shut lips may have been instead
# Probability of what was found; the rest is shared.
_KEPT = {"M": 0.999, "B": 0.999, "P": 0.999, "V": 0.99}
_OTHERS_KEPT = 0.5
_CERTAIN = {"F"}
_SILENCE = "<sil>"
_GRAPH = "choices"

Arc = tuple[int, int, float, str]


def reconsider_lips(decoder: Any, labels: Sequence[str], content: bytes) -> list[str]:
    """Return the labels; those that turned out to be m, b or p, or not to be, are others now.

    Args:
        decoder: of pocketsphinx, with the model of the labels; its own search is active again
            afterwards.
        labels: of the phones of a piece of sound, in order; others are noises or silence.
        content: the piece as 16-bit samples.
    """
    phones = [label if label.isalpha() and label != "SIL" else _SILENCE for label in labels]
    if not any(len(_choices(phone)) > 1 for phone in phones):
        return list(labels)
    search = decoder.current_search()
    arcs = list(_arcs(decoder, phones))
    decoder.add_fsg(_GRAPH, decoder.create_fsg(_GRAPH, 0, arcs[-1][1], arcs))
    decoder.activate_search(_GRAPH)
    decoder.start_utt()
    decoder.process_raw(content, no_search=False, full_utt=True)
    decoder.end_utt()
    words = [part.word.partition("(")[0] for part in decoder.seg() or ()]
    decoder.activate_search(search)
    # The last phones may be missing, and silence may be found anywhere.
    found = iter([phone for word in words if word[:1].isalpha() for phone in word.split("_")])
    result = []
    for label, phone in zip(labels, phones, strict=True):
        other = label if phone == _SILENCE else next(found, label)
        result.append(other if (other in _SHUT) != (label in _SHUT) else label)
    return result


def _arcs(decoder: Any, phones: Sequence[str]) -> Iterator[Arc]:
    """The graph of all choices in a line: from a state to the next with a probability and a word.

    Words have two phones where there are two: the decoder knows both neighbours of a phone only if
    one of them is in the same word.
    """
    state = index = 0
    while index < len(phones):
        is_pair = _SILENCE not in phones[index : index + 2] and index + 1 < len(phones)
        first = _choices(phones[index])
        second = _choices(phones[index + 1]) if is_pair else {}
        for phone, share in first.items():
            for next_phone, next_share in (second or {"": 1.0}).items():
                word = f"{phone}_{next_phone}" if second else phone
                if word != _SILENCE and decoder.lookup_word(word) is None:
                    decoder.add_word(word, word.replace("_", " "), update=False)
                yield state, state + 1, share * next_share, word
        state += 1
        index += 2 if is_pair else 1


def _choices(phone: str) -> dict[str, float]:
    """What a phone may have been, with probabilities."""
    if phone in _CERTAIN:
        return {phone: 1.0}
    others = set().union(*(group for group in _SIMILAR if phone in group)) - {phone}
    if phone in _SHUT:
        others &= _STOPS
    if not others:
        return {phone: 1.0}
    kept = _KEPT.get(phone, _OTHERS_KEPT)
    return {phone: kept, **dict.fromkeys(sorted(others), (1 - kept) / len(others))}
