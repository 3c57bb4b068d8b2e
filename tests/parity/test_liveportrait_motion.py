"""What lies between LivePortrait's networks, against what the published code made.

The published pipeline ran with the retargeting networks of the recipe, and nothing else of its own.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from inference.extras import missing_neural
from inference.faces.landmarker import Square, to_picture
from inference.liveportrait.geometry import (
    SIDE_PX,
    SquarePaste,
    clip_input,
    clip_square,
    cut_square,
    photo_input,
    photo_square,
)
from inference.liveportrait.landmarks import opening
from inference.liveportrait.motion import (
    FaceMotion,
    MotionOptions,
    SourceFace,
    adjusted,
    moved,
    rotations,
    still_rest,
)
from inference.liveportrait.smoothing import smoothed
from tests.conftest import Require
from tests.liveportrait_recipe import (
    Goldens,
    chance,
    fill,
    keypoints,
    shapes,
    uint8_picture,
    vector,
)

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

GOLDENS = Goldens("liveportrait_motion")
MOTIONS: dict[str, dict[str, Any]] = GOLDENS.facts["motions"]
CASES: dict[str, list[float]] = GOLDENS.facts["cases"]
REGIONS = {"all": "all", "exp": "expression", "pose": "pose", "lip": "lips", "eyes": "eyes"}
# Height and width of both eyes and the mouth, of the 203 points that the published code uses.
PAIRS_203 = (((6, 18), (0, 12)), ((30, 42), (24, 36)), ((90, 102), (48, 66)))


class Retargeting:
    """The small networks, with the recipe's weights."""

    def __init__(self) -> None:
        self._weights = {name: fill(name, keys) for name, keys in shapes().items() if "." in name}

    def stitch(self, source: Floats, driving: Floats) -> Floats:
        pairs = np.concatenate([np.broadcast_to(source, driving.shape), driving], axis=1)
        return self._run("S.stitching", pairs)

    def retarget_lips(self, inputs: Floats) -> Floats:
        return self._run("S.lip", inputs)

    def retarget_eyes(self, inputs: Floats) -> Floats:
        return self._run("S.eye", inputs)

    def _run(self, name: str, values: Floats) -> Floats:
        weights = self._weights[name]
        layers = sorted({int(key.split(".")[1]) for key in weights})
        for layer in layers:
            values = values @ weights[f"mlp.{layer}.weight"].T + weights[f"mlp.{layer}.bias"]
            if layer != layers[-1]:
                values = np.maximum(values, 0)
        return values


def seen(names: list[str], scale: float) -> tuple[FaceMotion, Floats]:
    """What the motion network is said to have seen, and the canonical key points."""
    angles, scales = [], []
    for name in names:
        random = chance(name)
        angles.append([random.uniform(-most, most) for most in (20, 30, 15)])
        scales.append(scale + 0.05 * random.standard_normal())
    motion = FaceMotion(
        angles=np.array(angles, np.float32),
        translation=np.concatenate([vector(f"{name}.t", (1, 3), 0.05) for name in names]),
        expression=np.concatenate([vector(f"{name}.exp", (1, 21, 3), 0.03) for name in names]),
        scale=np.array(scales, np.float32),
    )
    return motion, keypoints(f"{names[0]}.kp", 1, 0.25)[0]


def points_203() -> Floats:
    return chance("motion.lmk203").uniform(0, SIDE_PX, (203, 2)).astype(np.float32)


def source_face() -> SourceFace:
    motion, points = seen(["motion.source"], 1.3)
    *lids, lips = (opening(points_203(), *pairs) for pairs in PAIRS_203)
    return SourceFace(points, motion, np.array(lids, np.float32), lips)


def face_points(x: float, y: float, half_width: float, roll_deg: float, name: str) -> Floats:
    """The recipe's schematic face: 68 points, px."""
    points = []
    for index in range(17):
        angle = np.pi * (1 - index / 16)
        points.append((np.cos(angle), -0.15 + np.sin(angle) * 1.15))
    for first, last in ((-0.85, -0.2), (0.2, 0.85)):
        for place in np.linspace(first, last, 5):
            arch = np.sin(np.pi * (abs(place) - 0.2) / 0.65)
            points.append((place, -0.55 - 0.12 * arch))
    points += [(0.0, place) for place in np.linspace(-0.3, 0.15, 4)]
    points += [(at, 0.27 + 0.05 * (1 - (at / 0.2) ** 2)) for at in np.linspace(-0.2, 0.2, 5)]
    for middle in (-0.45, 0.45):
        for degrees in (180, 240, 300, 0, 60, 120):
            angle = np.radians(degrees)
            points.append((middle + 0.18 * np.cos(angle), -0.28 + 0.08 * np.sin(angle)))
    for count, width, height in ((12, 0.35, 0.13), (8, 0.25, 0.04)):
        angles = np.pi + 2 * np.pi * np.arange(count) / count
        points += [(width * np.cos(one), 0.58 + height * np.sin(one)) for one in angles]
    face = np.array(points) + 0.01 * chance(name).standard_normal((68, 2))
    cosine, sine = np.cos(np.radians(roll_deg)), np.sin(np.radians(roll_deg))
    turned = face @ np.array([[cosine, sine], [-sine, cosine]])
    return np.asarray(turned * half_width + (x, y), np.float32)


def to_crop(square: Square) -> Doubles:
    """The (3, 3) matrix from px of the picture to px of the crop."""
    return np.asarray(np.linalg.inv(np.vstack([to_picture(square, SIDE_PX), [0, 0, 1]])))


def levels_apart(name: str, picture: npt.NDArray[np.uint8]) -> int:
    """The largest difference on the stored elements of a picture."""
    flat, stored = picture.reshape(-1), GOLDENS.arrays[name]
    indices = chance(f"sample/{name}").choice(flat.size, stored.size, replace=False)
    return int(np.abs(flat[np.sort(indices)].astype(int) - stored).max())


def is_matrix(name: str, matrix: Doubles) -> None:
    difference = np.abs(matrix - GOLDENS.arrays[name])
    assert difference[:2, :2].max() < 1e-5
    assert difference[:2, 2].max() < 5e-3


@pytest.mark.parametrize("name", MOTIONS)
def test_key_points_are_those_of_the_published_code(name: str) -> None:
    facts = MOTIONS[name]
    options = MotionOptions(
        relative=facts["flag_relative_motion"],
        region=REGIONS[facts["animation_region"]],
        stitching=facts["flag_stitching"],
        normalise_lips=facts["flag_normalize_lip"],
        retarget_eyes=facts["flag_eye_retargeting"],
        retarget_lips=facts["flag_lip_retargeting"],
        strength=facts["driving_multiplier"],
    )
    count = facts["n_frames"]
    driving, _ = seen([f"motion.drive{index}" for index in range(count)], 1.2)
    rest = driving.mean(np.array([0]))
    if count == 1:
        rest = still_rest(driving, options.region)
    lids = np.array([np.abs(vector(f"motion.eyes{one}", (2,), 0.3))[0] for one in range(count)])
    lips = np.array([np.abs(vector(f"motion.lip{one}", (1,), 0.3))[0] for one in range(count)])
    points = moved(source_face(), driving, rest, options)
    found = adjusted(source_face(), points, (lids, lips), Retargeting(), options)
    assert found == pytest.approx(GOLDENS.arrays[f"motion/{name}"], abs=1e-5)


def test_pose_is_that_of_the_published_code() -> None:
    assert source_face().points == pytest.approx(GOLDENS.arrays["motion.x_s"], abs=1e-5)
    matrices = rotations(GOLDENS.arrays["pose.angles"])
    assert matrices == pytest.approx(GOLDENS.arrays["pose.R"], abs=1e-5)


def test_angles_are_those_of_the_published_code(require: Require) -> None:
    require(not missing_neural(), "the extra neural is not installed")
    import torch  # noqa: PLC0415 - part of the extra

    from inference.liveportrait.motion_extractor import degrees  # noqa: PLC0415 - imports torch

    logits = torch.from_numpy(vector("pose.logits", (4, 3, 66), 2.0))
    found = np.stack([degrees(logits[:, index]).numpy() for index in range(3)], axis=1)
    assert found == pytest.approx(GOLDENS.arrays["pose.degrees"], abs=1e-4)


@pytest.mark.parametrize("variance", ["3e-07", "3e-06", "0.0001"])
def test_smoother_is_that_of_the_published_code(variance: str) -> None:
    values = np.concatenate([vector(f"smooth{index}", (1, 21, 3), 0.05) for index in range(12)])
    found = smoothed(values, float(variance))
    assert found == pytest.approx(GOLDENS.arrays[f"smooth/{variance}"], abs=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_photo_is_cut_and_pasted_as_by_the_published_code(case: str) -> None:
    photo, animated = (
        uint8_picture("crop.photo", 720, 960),
        uint8_picture("crop.generated", 512, 512),
    )
    x, y, half_width, roll_deg = CASES[case]
    square = photo_square(face_points(x, y, half_width, roll_deg, f"crop.{case}"))
    name = f"crop/{case}/rot"
    is_matrix(f"{name}/M_o2c", to_crop(square))
    is_matrix(f"crop/{case}/norot/M_o2c", to_crop(replace(square, angle=0.0)))
    assert levels_apart(f"{name}/img512", cut_square(photo, square)) <= 1
    assert levels_apart(f"{name}/img256", photo_input(photo, square)) <= 1
    paste, pasted = SquarePaste.of(square, (960, 720)), photo.copy()
    box = paste.box
    paste.onto(pasted[box.upper : box.lower, box.left : box.right], (box.left, box.upper), animated)
    assert levels_apart(f"{name}/paste", pasted) <= 1
    changed = int((pasted != photo).any(axis=-1).sum())
    assert changed == pytest.approx(int(GOLDENS.arrays[f"{name}/paste_changed"]), rel=0.001)


def test_clip_is_cut_as_by_the_published_code() -> None:
    frames = [
        face_points(400 + 6 * one, 300 - 3 * one, 120 + 2 * one, 3 * one - 5, f"drv{one}")
        for one in range(5)
    ]
    for square, expected in zip(
        [*(clip_square([points]) for points in frames), clip_square(frames)],
        [*GOLDENS.arrays["drivecrop/bboxes"], GOLDENS.arrays["drivecrop/mean_bbox"]],
        strict=True,
    ):
        half = square.side / 2
        box = square.x - half, square.y - half, square.x + half, square.y + half
        assert box == pytest.approx(tuple(expected), abs=5e-3)
    is_matrix("drivecrop/M_o2c", to_crop(clip_square(frames)))
    found = clip_input(uint8_picture("crop.photo", 720, 960), clip_square(frames))
    assert levels_apart("drivecrop/img256", found) <= 2


def test_openings_are_those_of_the_published_code() -> None:
    *lids, lips = (opening(points_203(), *pairs) for pairs in PAIRS_203)
    assert lids == pytest.approx(GOLDENS.arrays["ratios/eyes203"][0].tolist(), rel=1e-5)
    assert lips == pytest.approx(GOLDENS.arrays["ratios/lip203"].item(), rel=1e-5)


def test_every_golden_is_compared() -> None:
    compared = {"pose.degrees", "pose.angles", "pose.R", "motion.x_s"}
    compared |= {f"motion/{name}" for name in MOTIONS}
    compared |= {f"smooth/{variance}" for variance in ("3e-07", "3e-06", "0.0001")}
    compared |= {f"drivecrop/{name}" for name in ("bboxes", "mean_bbox", "M_o2c", "img256")}
    compared |= {"ratios/eyes203", "ratios/lip203"}
    for case in CASES:
        compared.add(f"crop/{case}/norot/M_o2c")
        rest = ("M_o2c", "img512", "img256", "paste", "paste_changed")
        compared |= {f"crop/{case}/rot/{name}" for name in rest}
    assert compared == GOLDENS.arrays.keys()
