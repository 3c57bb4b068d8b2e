"""The published files of LivePortrait's weights."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inference.weights.store import WeightsStore

APPEARANCE = "appearance_feature_extractor.pth"
MOTION = "motion_extractor.pth"
WARPING = "warping_module.pth"
GENERATOR = "spade_generator.pth"
RETARGETING = "stitching_retargeting_module.pth"
FILES = (APPEARANCE, MOTION, WARPING, GENERATOR, RETARGETING)


def checkpoints(weights: "WeightsStore", *, may_fetch: bool = True) -> dict[str, Path]:
    """Return the converted files by their published names, converting or downloading if need be.

    Raises:
        As `WeightsStore.checkpoint`.
    """
    return {name: weights.checkpoint(weights.folder / name, may_fetch=may_fetch) for name in FILES}
