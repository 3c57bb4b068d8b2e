"""Options of engines: plain values, quick to import."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from pydantic import JsonValue, TypeAdapter

Region = Literal["all", "expression", "pose", "lips", "eyes"]
REGIONS: tuple[Region, ...] = get_args(Region)


@dataclass(frozen=True)
class EngineOptions:
    """The options of all engines; each engine names those that it supports (`Engine.options`).

    Attributes:
        config: the networks' configuration (YAML); None for vox-256.
        checkpoint: the networks' weights, a path as for `WeightsStore.checkpoint`; None for those
            of vox-256.
        device: `auto`, `cpu`, `mps`, `cuda` or `cuda:1`.
        precision: `auto`, `float32`, `bfloat16` or `float16`.
        align_corners: sample as in training (`grid_sample`), unlike the published code
            on today's torch.
        crop_image: crop a square around the photo's face; otherwise the whole photo is resized.
        crop_image_padding: added to that square: left, upper, right and lower, photo px.
        crop_video: the same for the clip.
        crop_margin: size of these squares relative to the face.
        relative: transfer motion relative to the first driving frame, not positions.
        adapt_scale: scale the motion by the ratio of the faces' sizes.
        find_best_frame: measure motion from the frame whose pose is nearest the photo's.
        best_frame_rank: use the frame of that rank, from 1, for it; ranked frames are half a second
            apart, and after the last one comes the best again.
        best_frame: measure motion from this frame, from 0; overrides `find_best_frame`.
        smooth: strength of keypoint smoothing, s (`inference.motion.smooth`); 0 for none.
        strength: of the movement, 0.5 to 1.5.
        region: what moves, one of `REGIONS`.
        stitching: adjust the animated square so that it fits its surroundings.
        normalise_lips: shut the photo's lips before they move.
        retarget_eyes: open and shut the eyes as far as those of the clip; nothing else moves then,
            but what `retarget_lips` does.
        retarget_lips: likewise the lips.
        face_detector: `auto` or `face-alignment`; `lbp`, of earlier versions, means `auto`.
    """

    config: Path | None = None
    checkpoint: Path | None = None
    device: str = "auto"
    precision: str = "auto"
    align_corners: bool = False
    crop_image: bool = True
    crop_image_padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    crop_video: bool = True
    crop_margin: float = 2.0
    relative: bool = True
    adapt_scale: bool = True
    find_best_frame: bool = False
    best_frame_rank: int = 1
    best_frame: int | None = None
    smooth: float = 0.0
    strength: float = 1.0
    region: Region = "all"
    stitching: bool = True
    normalise_lips: bool = False
    retarget_eyes: bool = False
    retarget_lips: bool = False
    face_detector: str = "auto"


_OPTIONS = TypeAdapter(EngineOptions)


def parse_options(plain: Mapping[str, JsonValue]) -> EngineOptions:
    """Return the options of a wish; what it does not name is left at its default.

    Raises:
        ValidationError: of pydantic: one of the options has an impossible value.
    """
    return _OPTIONS.validate_python(plain)
