"""Tracks, curves of a speech, catalogues and checkpoints that are nearly right, and that are not.

Each is read, or refused with one of our sentences.
"""

import io
import re
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import event
from hypothesis import strategies as st

from inference.checked_npz import ArrayForm
from inference.extras import missing_neural
from inference.fomm.config import FommConfig
from inference.mesh.track import Track, read_track, write_track
from inference.voice.speech import CURVES, Speech, read_speech, write_speech
from inference.weights.catalogue import SHIPPED_CATALOGUE, WeightsCatalogue
from inference.weights.checkpoint_file import (
    check_converted,
    is_safetensors,
    read_checkpoint,
    read_converted,
)
from jobs.errors import AnimatoError, BrokenConfig, BrokenSpeech, BrokenTrack, MediaError
from jobs.templates import CATALOGUE_NAME, SHIPPED_TEMPLATES, Catalogue
from jobs.track_length import track_frames
from jobs.weights_errors import BrokenWeightsCatalogue, WeightsCorrupt
from tests.conftest import Require
from tests.fuzz.mutations import mutated
from tests.fuzz.rounds import fuzzed

FRAMES = 3
ROOT = Path(__file__).parents[2]


@contextmanager
def written(data: bytes, name: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(data)
        yield path


@cache
def tracks() -> tuple[bytes, ...]:
    def values(form: ArrayForm) -> Any:
        return np.zeros((FRAMES, *form.shape), form.dtype)

    arrays = {name: values(form) for name, form in Track.FORMS.items()}
    track = Track(Fraction(30000, 1001), (64, 48), np.zeros(3, np.float32), 5.0, **arrays)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "track.npz")
        write_track(track, path)
        compressed = path.read_bytes()
        stored = io.BytesIO()
        with np.load(path) as content:
            np.savez(stored, **content)
    return compressed, stored.getvalue()


# What a value of an array can be, and what an array can be instead.
_NUMBERS = (0, 1, -1, 3, 16_384, 16_385, 1e9, -1e9, float("nan"), float("inf"))
_TYPES = (
    "float32",
    "float16",
    "int64",
    "int32",
    "int8",
    "float64",
    "bool",
    "U3",
    "complex64",
    "M8[s]",
)


@st.composite
def odd_tracks(draw: st.DrawFn) -> bytes:
    """A track with whole checksums, some of whose arrays have other values, types or shapes."""
    with np.load(io.BytesIO(tracks()[0])) as content:
        arrays = dict(content)
    for name in draw(
        st.lists(st.sampled_from(sorted(arrays)), min_size=1, max_size=3, unique=True)
    ):
        array = arrays[name]
        match draw(st.sampled_from(["value", "value", "value", "type", "shape", "order", "gone"])):
            case "value":
                number = draw(st.sampled_from(_NUMBERS))
                with suppress(ValueError, OverflowError), np.errstate(all="ignore"):
                    array.flat[draw(st.integers(0, array.size - 1))] = number
            case "type":
                arrays[name] = np.zeros(array.shape, draw(st.sampled_from(_TYPES)))
            case "shape":
                shape = draw(st.lists(st.integers(0, 4), max_size=3))
                arrays[name] = np.zeros(shape, array.dtype)
            case "order":
                arrays[name] = np.asfortranarray(array)
            case "gone" if len(arrays) > 1:
                del arrays[name]
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


@fuzzed(250, data=st.one_of(mutated(tracks), odd_tracks(), st.binary(max_size=200)))
def test_track_is_read_or_refused(data: bytes) -> None:
    with written(data, "track.npz") as path:
        frames = track_frames(path)
        try:
            track = read_track(path)
        except BrokenTrack:
            event("refused")
        else:
            assert frames in {0, track.frame_count}
            assert track.frame_rate > 0
            event("read")
            part = track.mouth_part
            width, height = track.frame_size if part is None else (part.width, part.height)
            assert part is None or (width > 0 and height > 0)
            pictures = [
                np.zeros((min(height, 99), min(width, 99), 3), np.uint8)
            ] * track.frame_count
            moments = list(track.moments(pictures, part))
            assert len(moments) == track.frame_count
            assert all(np.isfinite(moment.expression).all() for moment in moments)


@cache
def speeches() -> tuple[bytes, ...]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "voice.npz")
        write_speech(Speech(np.zeros((FRAMES, *CURVES.shape), np.float32)), path)
        return (path.read_bytes(),)


@fuzzed(100, data=st.one_of(mutated(speeches), st.binary(max_size=200)))
def test_curves_of_a_speech_are_read_or_refused(data: bytes) -> None:
    with written(data, "voice.npz") as path:
        try:
            speech = read_speech(path)
        except BrokenSpeech:
            event("refused")
        else:
            assert speech.values.shape == (speech.frame_count, *CURVES.shape)


# --- the catalogue --------------------------------------------------------------------------------


@cache
def catalogues() -> tuple[bytes, ...]:
    whole = (SHIPPED_TEMPLATES / CATALOGUE_NAME).read_bytes()
    entries = whole.split(b"\n- ")[1:]
    recorded = (
        b"- {name: a, emoji: x, title: {en: A}, licence: l, motion: {clip: a.mp4, track: a.npz}}"
    )
    return whole[-4000:], *(b"- " + entry for entry in entries[:4]), recorded


# What a person, or the format itself, can put in place of a value.
_YAML = (
    *(b"!!int x", b"!!timestamp x", b"!!bool x", b"!!float x", b"!!binary x", b"!!set {a}"),
    *(b"!!python/name:os.system", b"!!omap [a]", b"!!merge x", b"<<: 3", b"? [a]: b", b"&a [*a]"),
    *(b"*b", b"1e999", b".inf", b".nan", b"1" * 5000, b"0x", b"0b1_", b"1:60:61", b"2001-99-99"),
    *(b"2001-01-01 99:99:99", b"[", b"{", b"]", b"- " * 200, b"[" * 300, b"\0", b"\xff", b"\t"),
    *(
        "\u2028".encode(),
        "\ud800".encode("utf-8", "surrogatepass"),
        b"'",
        b'"\\x',
        b"|",
        b"%YAML 9",
    ),
    *(b"---", b"...", b"=", b"~", b"no", b"{en: 3}", b"{[a]: b}", b"{1: 2}", b"- " * 30, b"\r"),
)


@st.composite
def yaml_texts(draw: st.DrawFn, corpus: Callable[[], Sequence[bytes]]) -> bytes:
    """YAML, some of whose values are others, and which may be mutated besides."""
    data = draw(st.one_of(st.sampled_from(corpus()), mutated(corpus, 2)))
    for _ in range(draw(st.integers(1, 3))):
        values = [found.span(1) for found in re.finditer(rb"[:,\[{-] ?([^:,\n\[\]{}]+)", data)]
        if values:
            begin, end = draw(st.sampled_from(values))
            data = data[:begin] + b" " + draw(st.sampled_from(_YAML)) + data[end:]
    return data


@fuzzed(200, data=yaml_texts(catalogues))
def test_catalogue_is_read_and_its_faults_are_named(data: bytes) -> None:
    with written(data, CATALOGUE_NAME) as path:
        for needs_tracks in (True, False):
            catalogue = Catalogue.load(path.parent, needs_tracks=needs_tracks)
            most = len(data.decode(errors="replace").splitlines()) + 1
            assert all(0 < int(fault.fields["line"]) <= most for fault in catalogue.broken)
        for template in catalogue:
            assert catalogue.get(template.name) == template
            assert len(template.source_hash()) == 64


@cache
def configs() -> tuple[bytes, ...]:
    return ((ROOT / "config" / "vox-256.yaml").read_bytes(), SHIPPED_CATALOGUE.read_bytes()[-3000:])


@fuzzed(150, data=yaml_texts(configs))
def test_config_and_list_of_weights_are_read_or_refused(data: bytes) -> None:
    with written(data, "some.yaml") as path:
        readers: tuple[tuple[Callable[[Path], object], type[AnimatoError]], ...] = (
            (FommConfig.load, BrokenConfig),
            (WeightsCatalogue.load, BrokenWeightsCatalogue),
        )
        for read, error in readers:
            try:
                read(path)
            except error:
                event(error.__name__)


# --- checkpoints ----------------------------------------------------------------------------------


@cache
def checkpoints() -> tuple[bytes, ...]:
    import torch  # noqa: PLC0415 - part of the extra

    state = {"module.a.weight": torch.ones(2, 3), "a.bias": torch.zeros(3, dtype=torch.float16)}
    content = {"generator": state, "kp_detector": state, "epoch": 3}
    files = []
    for is_zip in (True, False):
        buffer = io.BytesIO()
        torch.save(content, buffer, _use_new_zipfile_serialization=is_zip)
        files.append(buffer.getvalue())
    return (*files, *_safetensors())


def _safetensors() -> tuple[bytes, ...]:
    import torch  # noqa: PLC0415 - part of the extra
    from safetensors.torch import save  # noqa: PLC0415 - part of the extra

    names = ("generator.a.weight", "kp_detector.b")
    return (save({name: torch.ones(2, 3) for name in names}, {"format": "animato-1"}),)


@fuzzed(150, data=mutated(checkpoints), suffix=st.sampled_from([".pth.tar", ".safetensors"]))
def test_checkpoint_is_read_or_refused(require: Require, data: bytes, suffix: str) -> None:
    require(not missing_neural(), "the extra neural is not installed")
    import torch  # noqa: PLC0415 - part of the extra

    with written(data, f"weights{suffix}") as path, warnings.catch_warnings():
        for networks in (("generator", "kp_detector"), ()):
            try:
                found = read_checkpoint(path, networks=networks)
            except (WeightsCorrupt, MediaError) as error:
                event(str(error.fields.get("reason"))[:40])
            else:
                states = found.networks.values()
                assert all(one.dtype == torch.float32 for state in states for one in state.values())


@fuzzed(100, data=mutated(_converted := lambda: checkpoints()[2:]))
def test_converted_weights_are_read_or_refused(require: Require, data: bytes) -> None:
    require(not missing_neural(), "the extra neural is not installed")
    with written(data, "weights.safetensors") as path:
        is_safetensors(path)
        for read in (check_converted, read_converted):
            with suppress(WeightsCorrupt, MediaError):
                read(path)
