"""The second opinion on shut lips, with a decoder that says what the test tells it."""

from types import SimpleNamespace

import numpy as np
import pytest

from inference.voice.bilabials import Arc, reconsider_lips


class ScriptedDecoder:
    """Answers with given words; keeps the graph that it is asked to search."""

    def __init__(self, *words: str) -> None:
        self.words = words
        self.arcs: list[Arc] = []
        self.dictionary: dict[str, str] = {}
        self.search = "phones"

    def current_search(self) -> str:
        return self.search

    def activate_search(self, name: str) -> None:
        self.search = name

    def lookup_word(self, word: str) -> str | None:
        return self.dictionary.get(word)

    def add_word(self, word: str, phones: str, *, update: bool) -> None:
        assert word not in self.dictionary
        assert not update
        self.dictionary[word] = phones

    def create_fsg(self, name: str, start: int, end: int, arcs: list[Arc]) -> str:
        assert start == 0
        assert end == max(arc[1] for arc in arcs)
        self.arcs = arcs
        return name

    def add_fsg(self, name: str, graph: str) -> None:
        assert name == graph

    def start_utt(self) -> None:
        assert self.search != "phones"

    def process_raw(self, content: bytes, **_: bool) -> None:
        assert content

    def end_utt(self) -> None:
        pass

    def seg(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(word=word) for word in self.words]


def phones(*labels: str, **frame_counts: int) -> list[tuple[str, int]]:
    """Phones of ten frames, or of as many as given for their label."""
    return [(label, frame_counts.get(label, 10)) for label in labels]


def test_v_becomes_m_and_a_short_p_becomes_t_where_their_neighbours_say_so() -> None:
    decoder = ScriptedDecoder("<sil>", "AA_M", "IY_T(2)", "UW", "</s>")
    heard = phones("SIL", "AA", "V", "IY", "P", "UW", "+SPN+", P=4)
    found = reconsider_lips(decoder, heard, b"sound")
    assert found == ["SIL", "AA", "M", "IY", "T", "UW", "+SPN+"]
    assert decoder.search == "phones"
    assert decoder.dictionary["AA_M"] == "AA M"


def test_only_whether_the_lips_are_shut_is_reconsidered() -> None:
    decoder = ScriptedDecoder("AA_NG", "IY_B", "AA")
    heard = phones("AA", "V", "IY", "P", "AA", P=4)
    assert reconsider_lips(decoder, heard, b"sound") == ["AA", "V", "IY", "P", "AA"]


def test_what_the_second_decoding_leaves_out_stays_as_it_was() -> None:
    decoder = ScriptedDecoder("AA_M", "<sil>", "IY_B")
    heard = phones("AA", "V", "IY", "T", "EH", "P", P=4)
    found = reconsider_lips(decoder, heard, b"sound")
    assert found == ["AA", "M", "IY", "B", "EH", "P"]
    found = reconsider_lips(ScriptedDecoder(), heard, b"sound")
    assert found == ["AA", "V", "IY", "T", "EH", "P"]


def words_for(*heard: tuple[str, int]) -> set[str]:
    """What the second decoding may find, of a vowel and these phones, for the last one."""
    decoder = ScriptedDecoder()
    reconsider_lips(decoder, [("V", 10), ("SIL", 10), ("AA", 10), *heard], b"sound")
    last = max(start for start, *_ in decoder.arcs)
    return {word.split("_")[-1] for start, *_, word in decoder.arcs if start == last}


@pytest.mark.parametrize("label", ["B", "P"])
def test_only_short_b_and_p_are_doubted(label: str) -> None:
    assert {label, "T", "D"} <= words_for((label, 4))
    assert words_for((label, 5)) == {label}


@pytest.mark.parametrize("label", ["NG", "V", "W", "DH", "TH", "T"])
def test_a_phone_that_is_too_short_for_lips_to_shut_is_not_one_of_shut_lips(label: str) -> None:
    assert words_for((label, 6)) & {"M", "B", "P"}
    assert words_for((label, 5)) == {label}


@pytest.mark.parametrize("label", ["M", "N", "D", "G", "K", "L", "F", "S"])
@pytest.mark.parametrize("frame_count", [3, 12])
def test_what_the_second_decoding_is_bad_at_is_not_reconsidered(
    label: str, frame_count: int
) -> None:
    assert words_for((label, frame_count)) == {label}


@pytest.mark.parametrize("nasal", ["M", "N", "NG"])
def test_a_phone_after_a_nasal_stays_as_uncertain_as_the_nasal(nasal: str) -> None:
    assert words_for((nasal, 4), ("P", 4)) == {"P"}
    assert words_for((nasal, 4), ("T", 10)) == {"T"}
    assert len(words_for((nasal, 4), ("AA", 10), ("T", 10))) > 1


def test_choices_lie_in_a_line_and_their_probabilities_add_up() -> None:
    decoder = ScriptedDecoder()
    heard = phones("SIL", "V", "P", "AA", "SIL", "F", P=4)
    reconsider_lips(decoder, heard, b"sound")
    for state in range(5):
        arcs = [arc for arc in decoder.arcs if arc[0] == state]
        assert {end for _, end, _, _ in arcs} == {state + 1}
        np.testing.assert_allclose(sum(share for _, _, share, _ in arcs), 1)
    assert {word for start, _, _, word in decoder.arcs if start in (0, 3)} == {"<sil>"}
    found = {word: share for start, _, share, word in decoder.arcs if start == 1}
    assert {"V_P", "M_P", "M_T", "L_P"} <= found.keys()
    # Lips are shut where they were found shut, unless the sound says otherwise loudly.
    assert found["V_P"] > 0.4
    assert found["V_T"] < 1e-3 * found["V_P"]
    assert found["M_P"] < 1e-6 * found["V_P"]


def test_vowels_alone_need_no_second_decoding() -> None:
    decoder = ScriptedDecoder("M")
    heard = phones("SIL", "AA", "M", "SIL")
    assert reconsider_lips(decoder, heard, b"sound") == ["SIL", "AA", "M", "SIL"]
    assert decoder.arcs == []
