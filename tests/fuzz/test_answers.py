"""Answers of the gate's child when an attacker has taken it over.

It may say anything and write anything into its folder. What the gate hands on is nevertheless valid
and lies where it should, or one of our errors says that it is not.
"""

import json
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import event
from hypothesis import strategies as st

from inference.media import gate, running_look
from inference.media.gate import LookLimits
from inference.media.running_look import FILE_NAMES
from jobs.errors import AnimatoError, DecoderFailed, MediaTooLarge, StartBeyondEnd
from jobs.findings import ClipFindings, PhotoFindings, VoiceFindings
from tests.fuzz.rounds import fuzzed
from tests.fuzz.test_values import changed
from tests.wishes import make_clip, make_photo, make_voice

KINDS = (PhotoFindings, ClipFindings, VoiceFindings)
HERE = "(here)"


@cache
def answers() -> list[Any]:
    found = (make_photo(f"{HERE}/photo.png"), make_clip(f"{HERE}/clip.mp4"), make_voice(HERE))
    refused = (
        DecoderFailed(name="a", reason="b"),
        MediaTooLarge(name="a", size_mb=1, limit_mb=2),
        StartBeyondEnd(name="a", start_s=1.5),
    )
    return [
        *(one.model_dump(mode="json") for one in found),
        *(error.to_dict() for error in refused),
    ]


class TakenOver:
    """In place of `Popen`: a child that writes this answer and these files, and ends."""

    def __init__(self, answer: str, files: dict[str, str]) -> None:
        self._answer = answer
        self._files = files

    def popen(self, _command: object, **how: Any) -> "subprocess.Popen[bytes]":
        folder = Path(how["cwd"])
        for name, kind in self._files.items():
            match kind:
                case "file":
                    (folder / name).write_bytes(b"x")
                case "link":
                    (folder / name).symlink_to("/etc/hostname")
                case "folder":
                    (folder / name).mkdir()
        text = json.dumps({"ready": True}) + "\n" + self._answer.replace(HERE, str(folder))
        how["stdout"].write(text.encode("utf-8", "surrogatepass"))
        how["stdout"].flush()
        return subprocess.Popen([sys.executable, "-S", "-c", ""], start_new_session=True)


NAMES = [name for names in FILE_NAMES.values() for name in names.values()]
FILES = st.one_of(
    st.just(dict.fromkeys(NAMES, "file")),
    st.fixed_dictionaries(
        dict.fromkeys(NAMES, st.sampled_from(["file", "file", "link", "folder", "none"]))
    ),
)


@fuzzed(
    250,
    answer=st.one_of(changed(answers).map(json.dumps), st.sampled_from(answers()).map(json.dumps)),
    files=FILES,
    kind=st.sampled_from(KINDS),
)
def test_answer_is_taken_or_refused(answer: str, files: dict[str, str], kind: Any) -> None:
    child = TakenOver(answer, files)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(running_look, "subprocess", SimpleNamespace(Popen=child.popen))
        source = Path(folder, "strange.bin")
        source.write_bytes(b"x")
        found = None
        try:
            with gate.start_photo_look(source, Path(folder), LookLimits()) as looking:
                found = looking.answer(kind)
        except AnimatoError as error:
            event(type(error).__name__)
        left = {path.name for path in Path(folder).iterdir()} - {source.name}
        if found is None:
            assert left == set()
            return
        event("taken")
        assert left == set(FILE_NAMES[kind].values())
        assert all(not Path(folder, name).is_symlink() for name in left)
        assert kind.model_validate_json(found.model_dump_json()) == found
