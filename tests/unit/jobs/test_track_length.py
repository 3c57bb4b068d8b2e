"""How long a recorded movement is, without numpy."""

from pathlib import Path

import numpy as np
import pytest

from jobs.orders import LookJob
from jobs.templates import Catalogue
from jobs.track_length import track_frames

CATALOGUE = """
- name: wave
  emoji: 👋
  title: {en: Wave}
  licence: mine
  motion: {clip: wave.mp4, track: wave.npz}
"""


@pytest.mark.parametrize("count", [1, 80, 3600])
def test_length_is_read_from_the_header(tmp_path: Path, count: int) -> None:
    path = tmp_path / "wave.npz"
    np.savez_compressed(path, log_zoom=np.zeros(count, np.float32), turn=np.zeros((2, 3)))
    assert track_frames(path) == count


def test_what_is_no_track_has_no_length(tmp_path: Path) -> None:
    path = tmp_path / "wave.npz"
    assert track_frames(path) == 0
    path.write_bytes(b"no archive")
    assert track_frames(path) == 0
    np.savez_compressed(path, other=np.zeros(3))
    assert track_frames(path) == 0


def test_recorded_movement_of_the_catalogue_knows_its_length(tmp_path: Path) -> None:
    (tmp_path / "templates.yaml").write_text(CATALOGUE)
    (tmp_path / "wave.mp4").touch()
    np.savez_compressed(tmp_path / "wave.npz", log_zoom=np.zeros(93, np.float32))
    template = Catalogue.load(tmp_path).get("wave")
    assert template.motion.frame_count == 93
    assert "frame_count" not in template.motion.model_dump()


def test_limit_of_clips_is_not_written_for_workers_of_the_version_before() -> None:
    job = LookJob(look_id="look-a-1", person=7, draft="a", photo_key="inputs/a/p.jpg")
    assert "clip_s" not in job.to_json()
    assert LookJob.read(job.model_copy(update={"clip_s": 4.0}).to_json()).clip_s == 4
