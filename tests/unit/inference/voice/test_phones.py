"""Phones: where a sound is cut into pieces, and what happens where they cannot be recognised."""

import itertools
import json
import logging
import subprocess
import sys

import numpy as np
import pytest

from inference.voice.features import SAMPLE_RATE
from inference.voice.phones import has_phones, pieces, recognise_phones
from tests.conftest import Require
from tests.unit.inference.voice.sounds import noise, silence, vowels


def test_pieces_are_cut_where_it_is_quiet_and_cover_the_sound() -> None:
    sound = noise(59)
    for quiet_s in (15, 33):
        sound[quiet_s * SAMPLE_RATE :][: SAMPLE_RATE // 10] = 0
    found = pieces(sound)
    assert [start for start, _ in found[1:]] == [end for _, end in found[:-1]]
    assert (found[0][0], found[-1][1]) == (0, len(sound))
    assert max(end - start for start, end in found) <= 20 * SAMPLE_RATE
    for (_, end), quiet_s in zip(found, (15, 33), strict=False):
        assert quiet_s <= end / SAMPLE_RATE <= quiet_s + 0.1


def test_phones_follow_each_other_within_the_sound(require_hardware: Require) -> None:
    require_hardware(has_phones(), "pocketsphinx is not installed; there is no build for all")
    sound = np.concatenate([vowels(), silence(19), vowels()])
    phones = recognise_phones(sound)
    assert phones is not None
    for phone, following in itertools.pairwise(phones):
        assert 0 <= phone.start < phone.end <= following.start
    assert phones[-1].end <= len(sound) // 160 + 1
    starts = [phone.start / 100 for phone in phones if phone.label in {"AA", "AO", "AE", "AH"}]
    # The first vowel of each half.
    assert any(0.3 < start < 0.6 for start in starts)
    assert any(21.7 < start < 22.1 for start in starts)


def test_the_second_opinion_knows_how_long_each_phone_is(
    require_hardware: Require, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_hardware(has_phones(), "pocketsphinx is not installed; there is no build for all")
    asked: list[tuple[str, int]] = []

    def agree(_: object, heard: list[tuple[str, int]], __: bytes) -> list[str]:
        asked.extend(heard)
        return [label for label, _ in heard]

    monkeypatch.setattr("inference.voice.phones.reconsider_lips", agree)
    found = recognise_phones(vowels())
    assert found
    assert asked == [(phone.label, phone.end - phone.start) for phone in found]


def test_without_pocketsphinx_the_log_says_so_and_no_phone_is_found(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    with caplog.at_level(logging.WARNING):
        assert recognise_phones(vowels()) is None
    assert "pocketsphinx" in caplog.text
    assert not has_phones()


LOADED = """
import json, logging, os, sys
before = {*sys.modules}
import pocketsphinx
print(json.dumps(sorted({*sys.modules} - before)))
"""


def test_pocketsphinx_loads_no_microphone_and_nothing_that_calls_out(
    require_hardware: Require,
) -> None:
    require_hardware(has_phones(), "pocketsphinx is not installed; there is no build for all")
    command = [sys.executable, "-c", LOADED]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert "pocketsphinx" in loaded
    assert not loaded & {"sounddevice", "cffi", "socket", "ssl", "http", "urllib", "asyncio"}
