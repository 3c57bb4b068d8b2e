"""What can be asked of engines: plain values, quick to import."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue, TypeAdapter


@dataclass(frozen=True)
class EngineOptions:
    """All that can be asked of engines; each names those that it understands (`Engine.options`).

    Attributes:
        config: the networks' shape (YAML); None: vox-256.
        checkpoint: the networks' weights, a path as `WeightsStore.checkpoint` takes it; None: those
            that belong to vox-256.
        device: `auto`, `cpu`, `mps`, `cuda` or `cuda:1`.
        precision: `auto`, `float32`, `bfloat16` or `float16`.
        align_corners: sample pictures as the published weights were trained, not as the published
            code does today.
        crop_image: cut a square round the photo's face; else the whole photo is squeezed.
        crop_image_padding: added to that square: left, upper, right and lower, photo px.
        crop_video: the same for the clip.
        crop_margin: how many times as large as the face those squares are.
        relative: carry differences to the first driving frame, not positions.
        adapt_scale: scale them by the faces' sizes.
        find_best_frame: measure them from the frame whose pose is nearest the photo's.
        best_frame_rank: of such frames take the so many-th, from 1; they lie half a second apart,
            and after the last one comes the best again.
        best_frame: measure them from that frame, counted from 0; wins over `find_best_frame`.
        smooth: how far in time keypoints are averaged, s (`inference.motion`); 0: not at all.
        face_detector: `auto`, `lbp` or `face-alignment`.
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
    face_detector: str = "auto"


_OPTIONS = TypeAdapter(EngineOptions)


def parse_options(plain: Mapping[str, JsonValue]) -> EngineOptions:
    """Return the options of a wish; what it does not name is left at its default.

    Raises:
        ValidationError: of pydantic: one of the options has an impossible value.
    """
    return _OPTIONS.validate_python(plain)
