"""`animato weights check`: render a portrait with the weights, judge the result, draw a sheet.

A hash identifies the published file. Other weights can only be judged by what they render. The
portrait is that of the templates' videos, so the result should look like the clip.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from inference.arrays import Picture
from inference.engine_options import EngineOptions
from inference.extras import let_threads_sleep
from inference.faces.finder import find_faces
from inference.faces.loading import landmarker
from inference.fomm.config import CHECKPOINT, SHIPPED_CONFIG, SIDE_PX
from inference.fomm.contact_sheet import draw_check_sheet, write_sheet
from inference.fomm.plausibility import (
    Finding,
    Pictures,
    RenderedMovement,
    judge_change,
    judge_first_frame,
    judge_maps,
    judge_path,
    judge_places,
    judge_spread,
)
from inference.media.file import check_output
from inference.media.video import ClipReader
from inference.motion import Keypoints, adapt_scale, normalise
from inference.square_crop import clip_square, crop_square, face_square
from inference.template_build import driving_portrait, is_up_to_date
from inference.weights.store import WeightsStore
from jobs.errors import TemplateNotBuilt
from jobs.templates import SHIPPED_TEMPLATES, Catalogue
from jobs.weights_errors import WeightsDoubtful

if TYPE_CHECKING:
    from inference.fomm.model import FommModel, Source

Say = Callable[[str], None]

MOVEMENTS = ("nod", "shake", "tilt", "smile")
# Those in which the head moves far enough to measure its path.
_HEAD_MOVEMENTS = ("nod", "shake", "tilt")
# Per movement; a network takes half a second per picture and more on a CPU.
_PICTURES = 8


def check_weights(options: EngineOptions, weights: WeightsStore, output: Path, say: Say) -> None:
    """Render, report each finding, and write the contact sheet.

    Args:
        options: of the engine `fomm`: config, checkpoint and device.
        weights: the store; nothing is downloaded.
        output: the sheet, a PNG.
        say: called with each line of the report.

    Raises:
        WeightsDoubtful: something is not as expected of a model of faces; the sheet is written.
        WeightsError, BrokenConfig, ExtraMissing: the weights cannot be loaded.
        EngineFailed: a frame contains NaN or infinity.
        DeviceUnavailable: the device does not exist.
        TemplateNotBuilt: the video of a shipped movement is missing.
        OutputNotWritable, DiskFull: the sheet cannot be written.
    """
    check_output(output)
    # Must run before torch is imported.
    let_threads_sleep()
    wanted = options.checkpoint or weights.folder / CHECKPOINT
    checkpoint = weights.checkpoint(wanted, may_fetch=False)
    say(f"checking {checkpoint}")
    network = landmarker(weights.folder)
    portrait = driving_portrait()
    box = face_square(find_faces(portrait, network)[0].box, options.crop_margin)
    square = crop_square(portrait, box, SIDE_PX)
    aligned = _Session.begin(options, checkpoint, square, align_corners=True).first_frame()
    session = _Session.begin(options, checkpoint, square, align_corners=False)
    first = session.first_frame()
    movements: list[RenderedMovement] = []
    is_ok = tell(_findings(session, first, aligned, movements), say)
    keypoints = session.source.keypoints
    write_sheet(draw_check_sheet(square, keypoints, (first, aligned), movements), output)
    say(f"{output}: look at it")
    if not is_ok:
        raise WeightsDoubtful(path=str(checkpoint), sheet=str(output))


def tell(findings: Iterable[Finding], say: Say) -> bool:
    """Report each finding, and return whether all of them are ok."""
    is_ok = True
    for finding in findings:
        is_ok = is_ok and finding.is_ok
        say(f"{'ok' if finding.is_ok else 'DOUBTFUL':8} {finding.sentence}")
    return is_ok


@dataclass(frozen=True)
class _Session:
    """The model as the engine runs it, and the portrait.

    Attributes:
        model: on its device, in the engine's precision.
        square: the portrait's square, uint8 (256, 256, 3).
        source: its keypoints and features.
    """

    model: "FommModel"
    square: Picture
    source: "Source"

    @staticmethod
    def begin(
        options: EngineOptions, checkpoint: Path, square: Picture, *, align_corners: bool
    ) -> "_Session":
        # torch is slow to import, and missing without the extra.
        from inference.fomm.model import load_model  # noqa: PLC0415

        config = options.config or SHIPPED_CONFIG
        device, precision = options.device, options.precision
        model, _ = load_model(config, checkpoint, device, precision, align_corners=align_corners)
        return _Session(model, square, model.source(square))

    def first_frame(self) -> Picture:
        """Render the portrait without movement."""
        first: Picture = self.model.render(self.source, self.source.keypoints)[0]
        return first

    def moved(self, name: str, driving: Pictures) -> RenderedMovement:
        """Animate the portrait relative to the first driving frame."""
        source, keypoints = self.source.keypoints, self.model.detect(driving)
        initial = keypoints[0]
        scale = adapt_scale(source, initial)
        normalised = normalise(source, keypoints, initial, relative=True, scale=scale)
        return RenderedMovement(
            name, driving, keypoints, self.model.render(self.source, normalised)
        )


def _findings(
    session: _Session, first: Picture, aligned: Picture, movements: list[RenderedMovement]
) -> Iterator[Finding]:
    """All findings; what is rendered for them is added to `movements`."""
    source = session.source.keypoints
    yield judge_first_frame(first, aligned, session.square)
    yield judge_spread(source)
    movements.extend(session.moved(name, _driving_squares(name)) for name in MOVEMENTS)
    everything = Keypoints.joined([source, *(movement.keypoints for movement in movements)])
    yield judge_places(everything)
    yield judge_maps(everything)
    for movement in movements:
        if movement.name in _HEAD_MOVEMENTS:
            yield judge_path(movement)
        yield judge_change(movement.name, movement.driving, movement.frames)


def _driving_squares(name: str) -> Pictures:
    """Frames of a shipped movement's video, cropped as the engine crops them."""
    chosen = frames_of_movement(name)
    box = clip_square([find_faces(chosen[0])[0].box], EngineOptions().crop_margin)
    return np.stack([crop_square(frame, box, SIDE_PX) for frame in chosen])


def frames_of_movement(name: str) -> list[Picture]:
    """Return evenly spaced frames of a shipped movement's video.

    Raises:
        TemplateNotBuilt: the video is missing or out of date.
    """
    template = Catalogue.load(SHIPPED_TEMPLATES).get(name)
    if not is_up_to_date(template, SHIPPED_TEMPLATES):
        raise TemplateNotBuilt(name=name)
    with ClipReader(SHIPPED_TEMPLATES / template.driving_video_name) as reader:
        frames = list(reader)
    return [frames[index * len(frames) // _PICTURES] for index in range(_PICTURES)]
