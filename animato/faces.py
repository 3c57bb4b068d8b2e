"""`animato faces`."""

import json
import shutil
import sys
import tempfile
from pathlib import Path

from animato.animate_settings import load_animate_settings
from inference.faces.loading import prepare_looks
from inference.media.file import check_output, replacing, write_error
from inference.media.gate import LookLimits, look_at_photo
from jobs.errors import NoFaceFound


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
    weights = load_animate_settings(is_quiet=True).weights
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
    try:
        with replacing(output) as part:
            shutil.copyfile(sheet, part)
    except OSError as error:
        raise write_error(output, error) from error
