"""A second opinion on shut lips: the m, b and p that a decoder missed or imagined.

Phones are recognised with models that ignore their neighbours, which is fast but mistakes m for v,
or t for p. Models of phones between their neighbours know how formants move towards shut lips. They
are used along the phones that were found: the sound is decoded once more, with a choice between
similar consonants where a mistake is likely, and everything else as it was.

The second decoding makes mistakes of its own. The limits below keep it to what it proved good at;
docs/performance.md has the figures.
"""

from collections.abc import Iterator, Sequence
from typing import Any

_SIMILAR = (
    {"M", "N", "NG", "V", "W", "L", "DH", "B", "D", "G"},
    {"P", "T", "K", "B", "D", "G", "V", "F", "TH", "DH"},
)
_SHUT = {"M", "B", "P"}
_STOPS = {"N", "NG", "D", "G", "T", "K"}  # what shut lips may have been instead
# Where the second decoding is more often right than wrong. It is not for m and n: they are mistaken
# for each other with one speaker and not with the next.
_DOUBTED = {"B", "P", "NG", "V", "W", "DH", "TH", "T"}
_NASALS = {"M", "N", "NG"}  # what follows is made in the same place, so it is as uncertain
# Lips take time to meet: only b and p of at most so many frames may have been something else, and
# only phones of at least so many frames may have been m, b or p.
_LONGEST_DOUBTED, _SHORTEST_SHUT = 4, 6
# Probability that the lips were open where they were found shut, and the other way round.
_OPEN, _CLOSED = 1e-3, 1e-7
_SILENCE = "<sil>"
_GRAPH = "choices"

Arc = tuple[int, int, float, str]
Choice = dict[str, float]


def reconsider_lips(decoder: Any, phones: Sequence[tuple[str, int]], content: bytes) -> list[str]:
    """Return the labels; those that turned out to be m, b or p, or not to be, are others now.

    Args:
        decoder: of pocketsphinx, with the model of the labels; its own search is active again
            afterwards.
        phones: labels and numbers of frames of the phones of a piece of sound, in order; labels
            that are no phones are noises or silence.
        content: the piece as 16-bit samples.
    """
    before = ["", *(label for label, _ in phones)]
    choices = [
        _choices(label, frame_count, is_certain=last in _NASALS)
        for (label, frame_count), last in zip(phones, before, strict=False)
    ]
    if all(len(choice) == 1 for choice in choices):
        return [label for label, _ in phones]
    search = decoder.current_search()
    arcs = list(_arcs(decoder, choices))
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
    for (label, _), choice in zip(phones, choices, strict=True):
        other = label if _SILENCE in choice else next(found, label)
        result.append(other if (other in _SHUT) != (label in _SHUT) else label)
    return result


def _arcs(decoder: Any, choices: Sequence[Choice]) -> Iterator[Arc]:
    """The graph of all choices in a line: from a state to the next with a probability and a word.

    Words have two phones where there are two: the decoder knows both neighbours of a phone only if
    one of them is in the same word.
    """
    state = index = 0
    while index < len(choices):
        pair = choices[index : index + 2]
        is_pair = len(pair) == 2 and not any(_SILENCE in choice for choice in pair)
        for phone, share in choices[index].items():
            for next_phone, next_share in (pair[1] if is_pair else {"": 1.0}).items():
                word = f"{phone}_{next_phone}" if is_pair else phone
                if word != _SILENCE and decoder.lookup_word(word) is None:
                    decoder.add_word(word, word.replace("_", " "), update=False)
                yield state, state + 1, share * next_share, word
        state += 1
        index += 2 if is_pair else 1


def _choices(label: str, frame_count: int, *, is_certain: bool) -> Choice:
    """What a phone may have been, with probabilities."""
    if not label.isalpha() or label == "SIL":
        return {_SILENCE: 1.0}
    if is_certain or label not in _DOUBTED:
        return {label: 1.0}
    others = set().union(*(group for group in _SIMILAR if label in group)) - {label}
    if label in _SHUT:
        if frame_count > _LONGEST_DOUBTED:
            return {label: 1.0}
        return {label: 1 - _OPEN, **_shared(others & _STOPS, _OPEN)}
    if frame_count < _SHORTEST_SHUT:
        return {label: 1.0}
    share = (1 - _CLOSED) / 2
    return {label: share, **_shared(others - _SHUT, share), **_shared(others & _SHUT, _CLOSED)}


def _shared(labels: set[str], probability: float) -> Choice:
    return dict.fromkeys(sorted(labels), probability / len(labels))
