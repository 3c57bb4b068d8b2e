from pathlib import Path

import cv2
import numpy as np
import pytest

from inference.media.clip_frames import clip_frames
from inference.media.video import ClipReader
from jobs.errors import MediaDamaged
from jobs.templates import SHIPPED_TEMPLATES

CLIP = SHIPPED_TEMPLATES / "blink.mp4"


def test_pictures_are_those_of_the_clip_up_to_rounding() -> None:
    with ClipReader(CLIP, width=160, height=120) as exact:
        wanted = list(exact)
    found = [frame.picture() for frame in clip_frames(CLIP, 160, 120)]
    assert len(found) == len(wanted)
    assert np.abs(np.array(found, int) - np.array(wanted, int)).mean() < 3


def test_small_picture_is_the_mean_of_what_it_covers() -> None:
    with ClipReader(CLIP) as exact:
        wanted = cv2.resize(next(exact), (24, 24), interpolation=cv2.INTER_AREA)
    found = next(clip_frames(CLIP, 160, 120)).small(24)
    assert found.dtype == np.uint8
    assert found.shape == (24, 24, 3)
    assert np.abs(found.astype(int) - wanted).mean() < 4


@pytest.mark.parametrize("kept_bytes", [0, 900, -2000])
def test_clip_that_is_cut_off_is_damaged(kept_bytes: int, tmp_path: Path) -> None:
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(CLIP.read_bytes()[:kept_bytes])
    with pytest.raises(MediaDamaged, match=r"cut\.mp4"):
        list(clip_frames(cut, 160, 120))
