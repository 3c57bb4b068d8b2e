"""The second opinion on shut lips, with a decoder that says what the test tells it."""

from types import SimpleNamespace

import numpy as np

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


def test_n_becomes_m_and_p_becomes_t_where_their_neighbours_say_so() -> None:
    decoder = ScriptedDecoder("<sil>", "AA_M", "IY_T(2)", "UW", "</s>")
    labels = ["SIL", "AA", "N", "IY", "P", "UW", "+SPN+"]
    assert reconsider_lips(decoder, labels, b"sound") == [*labels[:2], "M", "IY", "T", *labels[5:]]
    assert decoder.search == "phones"
    assert decoder.dictionary["AA_M"] == "AA M"


def test_only_whether_the_lips_are_shut_is_reconsidered() -> None:
    decoder = ScriptedDecoder("AA_NG", "IY_B", "AA")
    labels = ["AA", "D", "IY", "M", "AA"]
    assert reconsider_lips(decoder, labels, b"sound") == labels


def test_what_the_second_decoding_leaves_out_stays_as_it_was() -> None:
    decoder = ScriptedDecoder("AA_M", "<sil>", "IY_B")
    labels = ["AA", "N", "IY", "D", "EH", "P"]
    assert reconsider_lips(decoder, labels, b"sound") == ["AA", "M", "IY", "B", "EH", "P"]
    assert reconsider_lips(ScriptedDecoder(), labels, b"sound") == labels


def test_choices_lie_in_a_line_and_their_probabilities_add_up() -> None:
    decoder = ScriptedDecoder()
    reconsider_lips(decoder, ["SIL", "N", "T", "AA", "SIL", "F"], b"sound")
    for state in range(5):
        arcs = [arc for arc in decoder.arcs if arc[0] == state]
        assert {end for _, end, _, _ in arcs} == {state + 1}
        np.testing.assert_allclose(sum(share for _, _, share, _ in arcs), 1)
    assert {word for start, _, _, word in decoder.arcs if start in (0, 3)} == {"<sil>"}
    assert {"N_T", "M_T", "M_P"} <= {word for start, _, _, word in decoder.arcs if start == 1}
    assert not [word for *_, word in decoder.arcs if word == "M_S"]


def test_vowels_alone_need_no_second_decoding() -> None:
    decoder = ScriptedDecoder("M")
    assert reconsider_lips(decoder, ["SIL", "AA", "SIL"], b"sound") == ["SIL", "AA", "SIL"]
    assert decoder.arcs == []
