"""`animato weights check --engine NAME`: what an engine makes of a portrait, judged and drawn."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from inference.arrays import Picture
from inference.engine import Driving, Engine
from inference.extras import let_threads_sleep
from inference.faces.finder import find_faces
from inference.faces.loading import landmarker
from inference.fomm.contact_sheet import TILE_PX, sheet_row, stacked, write_sheet
from inference.fomm.plausibility import Finding, judge_change, judge_likeness
from inference.fomm.weights_check import MOVEMENTS, frames_of_movement, tell
from inference.media.file import check_output
from inference.template_build import driving_portrait
from jobs.weights_errors import WeightsDoubtful


def check_engine(engine: Engine, output: Path, say: Callable[[str], None]) -> None:
    """Animate the shipped portrait with shipped videos, judge the frames and draw a sheet.

    Args:
        engine: with its options and weights; nothing is downloaded if they are there.
        output: the sheet, a PNG.
        say: called with each line of the report.

    Raises:
        WeightsDoubtful: the frames are not like the portrait and the clips; the sheet is written.
        WeightsError, ExtraMissing: the weights cannot be loaded.
        TemplateNotBuilt: the video of a shipped movement is missing.
        OutputNotWritable, DiskFull: the sheet cannot be written.
    """
    check_output(output)
    # Must run before torch is imported.
    let_threads_sleep()
    engine.load()
    say(f"checking {engine.name}")
    portrait = driving_portrait()
    faces = find_faces(portrait, landmarker(engine.weights.folder if engine.weights else None))[:1]
    engine.prepare(portrait, faces)
    crop = engine.crop_for(faces, portrait)
    box, size = crop.box, (crop.frame_width, crop.frame_height)
    square = _resized(portrait[max(0, box.upper) : box.lower, max(0, box.left) : box.right], size)
    rows = [sheet_row("the photo", [square], 2 * TILE_PX)]
    findings: list[Finding] = []
    for name in MOVEMENTS:
        clip = np.stack(frames_of_movement(name))
        driving = Driving(iter(clip), find_faces(clip[0])[0], frame_count=len(clip))
        frames = np.stack([frame for batch in engine.animate(driving, None) for frame in batch])
        if not findings:
            findings.append(judge_likeness(frames[0], square))
        findings.append(judge_change(name, np.stack([_resized(one, size) for one in clip]), frames))
        rows += [sheet_row(f"{name}: the clip", clip, TILE_PX)]
        rows += [sheet_row(f"{name}: the result", frames, TILE_PX)]
    is_ok = tell(findings, say)
    write_sheet(stacked(rows), output)
    say(f"{output}: look at it")
    if not is_ok:
        raise WeightsDoubtful(path=engine.name, sheet=str(output))


def _resized(picture: Picture, size: tuple[int, int]) -> Picture:
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
