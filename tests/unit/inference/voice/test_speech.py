"""Written curves of a speech are read as they were, and anything else is refused."""

import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from inference.voice.speech import Speech, SpeechChannel, read_speech, write_speech
from jobs.errors import BrokenSpeech

COUNT = 7


def speech(count: int = COUNT) -> Speech:
    values = np.random.default_rng(1).uniform(0, 1, (count, len(SpeechChannel)))
    return Speech(values.astype(np.float32))


def test_a_speech_written_and_read_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "voice.npz"
    write_speech(speech(), path)
    np.testing.assert_array_equal(read_speech(path).values, speech().values)
    assert [file.name for file in tmp_path.iterdir()] == ["voice.npz"]


def test_numpy_reads_the_file_without_pickles(tmp_path: Path) -> None:
    write_speech(speech(), tmp_path / "voice.npz")
    with np.load(tmp_path / "voice.npz", allow_pickle=False) as stored:
        assert stored["values"].shape == (COUNT, len(SpeechChannel))


def test_values_out_of_range_are_cut_when_they_are_written(tmp_path: Path) -> None:
    values = np.full((3, len(SpeechChannel)), np.inf, np.float32)
    values[1] = np.nan
    write_speech(Speech(values), tmp_path / "voice.npz")
    read = read_speech(tmp_path / "voice.npz")
    assert read.curve(SpeechChannel.JAW).max() == pytest.approx(1.4)
    assert read.curve(SpeechChannel.SEAL).max() == 1


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("version", np.array([2])),
        ("version", np.array([1.0])),
        ("values", np.full((3, len(SpeechChannel)), np.nan, np.float32)),
        ("values", np.full((3, len(SpeechChannel)), 1e9, np.float32)),
        ("values", np.zeros((3, 4), np.float32)),
        ("values", np.zeros((0, len(SpeechChannel)), np.float32)),
        ("values", np.zeros((3, len(SpeechChannel)), np.float64)),
        ("values", np.zeros((1501, len(SpeechChannel)), np.float32)),
        ("values", np.zeros((), np.float32)),
        ("values", np.array([[{}]], object)),
    ],
)
def test_wrong_arrays_are_refused(name: str, array: np.ndarray, tmp_path: Path) -> None:
    arrays = {"version": np.array([1]), "values": speech().values, name: array}
    np.savez(tmp_path / "voice.npz", allow_pickle=True, **arrays)
    with pytest.raises(BrokenSpeech, match=r"voice\.npz"):
        read_speech(tmp_path / "voice.npz")


def test_every_cut_and_changed_file_is_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "voice.npz"
    write_speech(speech(), path)
    content = path.read_bytes()
    random = np.random.default_rng(2)
    for size in range(0, len(content), 7):
        changed = bytearray(content)
        changed[size] ^= int(random.integers(1, 256))
        for damaged in (content[:size], bytes(changed)):
            path.write_bytes(damaged)
            with suppress(BrokenSpeech):
                assert read_speech(path).values.shape[1] == len(SpeechChannel)


def test_a_file_that_claims_more_than_it_holds_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "voice.npz"
    write_speech(speech(), path)
    with zipfile.ZipFile(path) as archive:
        header = archive.read("values.npy").replace(b"(7, 18)", b"(9, 18)")
        version = archive.read("version.npy")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("version.npy", version)
        archive.writestr("values.npy", header)
    with pytest.raises(BrokenSpeech, match="wrong length"):
        read_speech(path)


def test_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BrokenSpeech):
        read_speech(tmp_path / "voice.npz")
