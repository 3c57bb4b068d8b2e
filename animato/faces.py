"""`animato faces`."""

import errno
import json
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

from animato.surroundings import load_surroundings
from inference.faces.loading import prepare_looks
from inference.media.file import check_output
from inference.media.gate import LookLimits, look_at_photo
from jobs.errors import DiskFull, NoFaceFound, OutputNotWritable, os_reason


def print_faces(photo: Path, output: Path | None, *, is_json: bool) -> None:
    """Print the faces of a photo, in its own px, and write them numbered to `output`, a PNG.

    Raises:
        NoFaceFound: none was found.
        MediaError: the photo cannot be read.
        LandmarkLibraryMissing, WeightsError: the landmark network is missing.
        OutputNotWritable, DiskFull: the sheet cannot be written.
    """
    if output is not None:
        check_output(output)
    weights = load_surroundings(is_quiet=True).weights
    prepare_looks(weights)
    with tempfile.TemporaryDirectory(prefix="animato-") as folder:
        limits = LookLimits(checkpoints_dir=weights.folder)
        findings = look_at_photo(photo, Path(folder), limits)
        if not findings.faces:
            raise NoFaceFound(name=photo.name)
        if output is not None:
            _copy(Path(findings.sheet), output)
    scale = findings.original_width / findings.width
    faces = [(face.number, face.box.scaled(scale), face.votes) for face in findings.faces]
    if is_json:
        rows = [{"number": n, "box": box.sides, "votes": votes} for n, box, votes in faces]
        sys.stdout.write(json.dumps(rows) + "\n")
        return
    for number, box, votes in faces:
        sys.stdout.write(f"face {number}: box {box}, {votes} votes\n")


def _copy(sheet: Path, output: Path) -> None:
    """Copy the sheet to `output`, completely or not at all."""
    part = output.with_name(f".animato-{secrets.token_hex(6)}.png")
    try:
        shutil.copyfile(sheet, part)
        part.replace(output)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise DiskFull(path=str(output)) from error
        raise OutputNotWritable(path=str(output), reason=os_reason(error)) from error
    finally:
        part.unlink(missing_ok=True)
