"""Do weights behave as a model of faces? Rendered on a portrait, judged, drawn for the owner.

A hash tells that a file is the published one. What somebody trained, or nobody has a hash of, only
what it does can tell. The portrait is that of the templates' videos, so that the result should look
like the clip.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from inference.engine import Picture
from inference.engine_options import EngineOptions
from inference.extras import let_threads_sleep
from inference.faces.finder import find_faces
from inference.fomm.config import CHECKPOINT, SHIPPED_CONFIG, SIDE_PX
from inference.fomm.contact_sheet import draw_check_sheet, write_sheet
from inference.fomm.driving import Normalisation
from inference.fomm.plausibility import (
    Finding,
    Movement,
    Pictures,
    judge_change,
    judge_first_frame,
    judge_maps,
    judge_path,
    judge_places,
    judge_spread,
)
from inference.media.video import ClipReader
from inference.media.writer import check_output
from inference.motion import Keypoints
from inference.square_crop import clip_square, crop_square, face_square
from inference.template_build import driving_portrait, is_up_to_date
from inference.weights.store import WeightsStore
from jobs.errors import TemplateNotBuilt, WeightsDoubtful
from jobs.templates import SHIPPED_TEMPLATES, Catalogue

if TYPE_CHECKING:
    from inference.fomm.model import FommModel, Source

Say = Callable[[str], None]

MOVEMENTS = ("nod", "shake", "tilt", "smile")
# Those in which the head goes far enough for its way to be measured.
_HEAD_MOVEMENTS = ("nod", "shake", "tilt")
# Of each movement; rendering takes half a second a picture on a processor.
_PICTURES = 8


def check_weights(options: EngineOptions, weights: WeightsStore, output: Path, say: Say) -> None:
    """Renders, says what was found line by line, and writes the contact sheet.

    Args:
        options: of the engine `fomm`; whose weights, and on what they are run.
        weights: where they lie; nothing is fetched.
        output: the sheet, a PNG.
        say: takes a line.

    Raises:
        WeightsDoubtful: something is not as a model of faces shows it; the sheet is written.
        WeightsError, BrokenConfig, ExtraMissing: the weights cannot be loaded.
        EngineFailed: with them a frame is not finite.
        DeviceUnavailable: what they were to be run on is not there.
        TemplateNotBuilt: the video of a shipped movement is missing.
        OutputNotWritable, DiskFull: the sheet cannot be written.
    """
    check_output(output)
    # Before anything loads torch.
    let_threads_sleep()
    wanted = options.checkpoint or weights.folder / CHECKPOINT
    checkpoint = weights.checkpoint(wanted, may_fetch=False)
    say(f"checking {checkpoint}")
    portrait = driving_portrait()
    box = face_square(find_faces(portrait)[0].box, options.crop_margin)
    square = crop_square(portrait, box, SIDE_PX)
    aligned = _Sitting.begin(options, checkpoint, square, align_corners=True).first_frame()
    sitting = _Sitting.begin(options, checkpoint, square, align_corners=False)
    first = sitting.first_frame()
    movements: list[Movement] = []
    is_ok = tell(_findings(sitting, first, aligned, movements), say)
    keypoints = sitting.source.keypoints
    write_sheet(draw_check_sheet(square, keypoints, (first, aligned), movements), output)
    say(f"{output}: look at it")
    if not is_ok:
        raise WeightsDoubtful(path=str(checkpoint), sheet=str(output))


def tell(findings: Iterable[Finding], say: Say) -> bool:
    """Says each finding as it comes, and returns whether all of them are as they should be."""
    is_ok = True
    for finding in findings:
        is_ok = is_ok and finding.is_ok
        say(f"{'ok' if finding.is_ok else 'DOUBTFUL':8} {finding.sentence}")
    return is_ok


@dataclass(frozen=True)
class _Sitting:
    """The model that the engine runs, and the portrait that sits for it.

    Attributes:
        model: on its device, in the precision that the engine takes there.
        square: the portrait's, uint8 (256, 256, 3).
        source: what the model keeps of it.
    """

    model: "FommModel"
    square: Picture
    source: "Source"

    @staticmethod
    def begin(
        options: EngineOptions, checkpoint: Path, square: Picture, *, align_corners: bool
    ) -> "_Sitting":
        # Imported late: torch takes seconds, and is not there without the extra.
        from inference.fomm.loading import load_networks  # noqa: PLC0415
        from inference.fomm.model import FommModel, choose_device, choose_dtype  # noqa: PLC0415

        place = choose_device(options.device)
        detector, generator, _ = load_networks(
            options.config or SHIPPED_CONFIG, checkpoint, align_corners=align_corners
        )
        model = FommModel(detector, generator, place, choose_dtype(options.precision, place))
        return _Sitting(model, square, model.source(square))

    def first_frame(self) -> Picture:
        """What is rendered where nothing has moved yet."""
        first: Picture = self.model.render(self.source, self.source.keypoints)[0]
        return first

    def moved(self, name: str, driving: Pictures) -> Movement:
        """The portrait, moved relative to the first driving picture."""
        keypoints = self.model.detect(driving)
        normalised = Normalisation(
            self.source.keypoints, keypoints[0], relative=True, adapt_scale=True
        )
        frames = self.model.render(self.source, normalised(keypoints))
        return Movement(name, driving, keypoints, frames)


def _findings(
    sitting: _Sitting, first: Picture, aligned: Picture, movements: list[Movement]
) -> Iterator[Finding]:
    """Everything that is judged; what is rendered for it is added to `movements`."""
    source = sitting.source.keypoints
    yield judge_first_frame(first, aligned, sitting.square)
    yield judge_spread(source)
    movements.extend(sitting.moved(name, _driving_squares(name)) for name in MOVEMENTS)
    everything = Keypoints.joined([source, *(movement.keypoints for movement in movements)])
    yield judge_places(everything)
    yield judge_maps(everything)
    for movement in movements:
        if movement.name in _HEAD_MOVEMENTS:
            yield judge_path(movement)
        yield judge_change(movement)


def _driving_squares(name: str) -> Pictures:
    """Some pictures of a shipped movement's video, evenly apart, cut as the engine cuts them."""
    template = Catalogue.load(SHIPPED_TEMPLATES).get(name)
    if not is_up_to_date(template, SHIPPED_TEMPLATES):
        raise TemplateNotBuilt(name=name)
    with ClipReader(SHIPPED_TEMPLATES / template.driving_video_name) as reader:
        frames = list(reader)
    chosen = [frames[index * len(frames) // _PICTURES] for index in range(_PICTURES)]
    box = clip_square([find_faces(chosen[0])[0].box], EngineOptions().crop_margin)
    return np.stack([crop_square(frame, box, SIDE_PX) for frame in chosen])
