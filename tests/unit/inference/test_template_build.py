"""Building templates; above all: that the committed files are what the catalogue says."""

import hashlib
import json
import shutil
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from inference.arrays import Picture
from inference.faces.landmarker import Landmarker
from inference.media.probe import probe
from inference.media.video import ClipReader
from inference.media.writer import VideoWriter
from inference.mesh.track import read_track
from inference.template_build import (
    BUILT_NAME,
    PREVIEW_SIDE_PX,
    build_templates,
    drawn_frames,
    driving_portrait,
    is_up_to_date,
    source_hash,
)
from jobs.errors import BrokenTrack
from jobs.templates import SHIPPED_TEMPLATES, Catalogue, CurveMotion, Template

SHIPPED = Catalogue.load()
# Grey levels, mean of a block of 16 x 16 px, that another ffmpeg or OpenCV may make; a lost blink
# makes three times as much.
TOLERANCE = 12.0
BLOCK_PX = 16


def largest_difference(one: Picture, other: Picture) -> float:
    """The mean absolute difference of the block that differs most, grey levels."""
    rows, columns = one.shape[0] // BLOCK_PX, one.shape[1] // BLOCK_PX
    difference = np.abs(one.astype(float) - other).mean(axis=-1)
    blocks = difference.reshape(rows, BLOCK_PX, columns, BLOCK_PX)
    return float(blocks.mean(axis=(1, 3)).max())


def template_ids(template: Template) -> str:
    return template.name


@pytest.mark.parametrize("template", SHIPPED.templates, ids=template_ids)
def test_committed_files_come_from_the_committed_curves(template: Template) -> None:
    built = json.loads((SHIPPED_TEMPLATES / BUILT_NAME).read_text("utf-8"))
    assert built[template.name] == source_hash(template, SHIPPED_TEMPLATES)
    assert is_up_to_date(template, SHIPPED_TEMPLATES)


@pytest.mark.parametrize("template", SHIPPED.templates, ids=template_ids)
def test_committed_videos_are_what_would_be_rendered_today(template: Template) -> None:
    assert isinstance(template.motion, CurveMotion)
    step = 5
    with ClipReader(SHIPPED_TEMPLATES / template.driving_video_name) as frames:
        committed = list(frames)
    assert len(committed) == template.motion.frame_count
    every_fifth = template.motion.model_copy(update={"fps": template.motion.fps // step})
    rendered = list(drawn_frames(every_fifth))
    assert len(rendered) * step == len(committed)
    for index, frame in enumerate(rendered):
        difference = largest_difference(frame, committed[index * step])
        assert difference < TOLERANCE, f"frame {index * step}"


def test_tolerance_tells_shut_eyes_from_open_ones() -> None:
    with ClipReader(SHIPPED_TEMPLATES / "blink.mp4") as frames:
        shown = list(islice(frames, 16))
    assert largest_difference(shown[0], shown[15]) > 2 * TOLERANCE


@pytest.mark.parametrize("template", SHIPPED.templates, ids=template_ids)
def test_driving_videos_are_square_512_px_and_last_2_to_5_s(template: Template) -> None:
    shown = probe(SHIPPED_TEMPLATES / template.driving_video_name)
    assert (shown.width, shown.height, shown.frame_rate) == (512, 512, Fraction(25))
    assert shown.duration_s is not None
    assert 2 <= shown.duration_s <= 5
    assert template.seamless


@pytest.mark.parametrize("template", SHIPPED.templates, ids=template_ids)
def test_previews_are_small(template: Template) -> None:
    path = SHIPPED_TEMPLATES / template.preview_name
    assert probe(path).width == PREVIEW_SIDE_PX
    assert path.stat().st_size < 60_000


def test_at_least_eighteen_movements_are_shipped_and_none_is_broken() -> None:
    assert len(SHIPPED) >= 18
    assert SHIPPED.broken == ()


def test_frame_0_is_the_portrait_itself() -> None:
    motion = SHIPPED.get("alive").motion
    assert isinstance(motion, CurveMotion)
    assert np.array_equal(next(drawn_frames(motion)), driving_portrait())


def test_only_what_is_out_of_date_is_built(tmp_path: Path) -> None:
    folder = tmp_path / "templates"
    shutil.copytree(SHIPPED_TEMPLATES, folder)
    assert list(build_templates(Catalogue.load(folder))) == []
    catalogue = folder / "templates.yaml"
    text = catalogue.read_text("utf-8").replace("blinks: [1.72, 1.98, 2.24]", "blinks: [1.72]")
    catalogue.write_text(text, "utf-8")
    assert list(build_templates(Catalogue.load(folder))) == ["blink.mp4", "blink.preview.mp4"]
    (folder / "wink.preview.mp4").unlink()
    built = list(build_templates(Catalogue.load(folder)))
    assert built == ["wink.mp4", "wink.preview.mp4"]


RECORDED = """
- name: wave
  emoji: W
  title: {en: Wave}
  licence: ours
  motion: {clip: wave.mp4, track: wave.npz}
"""


def test_track_of_the_format_before_is_told_and_built_again(
    tmp_path: Path, landmarker: Landmarker
) -> None:
    assert landmarker is not None
    (tmp_path / "templates.yaml").write_text(RECORDED, "utf-8")
    with (
        ClipReader(SHIPPED_TEMPLATES / "blink.mp4") as frames,
        VideoWriter(tmp_path / "wave.mp4", 512, 512, Fraction(25), comment="a test") as writer,
    ):
        for frame in islice(frames, 8):
            writer.write(frame)
    digest = hashlib.sha256((tmp_path / "wave.mp4").read_bytes()).hexdigest()
    # As the engine flow wrote them.
    (tmp_path / BUILT_NAME).write_text(json.dumps({"wave": digest}), "utf-8")
    (tmp_path / "wave.preview.mp4").write_bytes(b"")
    pose = np.repeat(np.eye(2, 3, dtype=np.float32)[None], 8, axis=0)
    np.savez_compressed(
        tmp_path / "wave.npz", version=np.int64(1), frame_rate=np.array([25, 1]), pose=pose
    )
    (wave,) = Catalogue.load(tmp_path).templates
    assert not is_up_to_date(wave, tmp_path)
    with pytest.raises(BrokenTrack, match=r"wave\.npz .*: run `animato templates build`"):
        read_track(tmp_path / "wave.npz")

    built = list(build_templates(Catalogue.load(tmp_path)))

    assert built == ["wave.npz", "wave.preview.mp4"]
    assert is_up_to_date(wave, tmp_path)
    assert read_track(tmp_path / "wave.npz").frame_count == 8
