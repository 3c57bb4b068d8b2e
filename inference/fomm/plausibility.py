"""Judge whether weights behave like a model of faces; each function judges one property.

The limits are wide on purpose: they were set without published weights, so they distinguish a model
from noise, not a good model from a better one.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from inference.motion import Keypoints, hull_area

Pictures = npt.NDArray[np.uint8]
"""(T, side, side, 3) RGB; motion is measured from the first one."""
Path2d = npt.NDArray[np.float64]
"""(T, 2): displacement, x then y, in units where the picture spans [-1, 1]."""

# Of the picture's area; a face fills a quarter of its square.
_LEAST_HULL = 0.02
# Condition number from which a jacobian counts as flat.
_MOST_STRETCHED = 100.0
_MOST_FLAT_MAPS = 0.2
# A grey picture is at 12 dB and 0.1, noise below; trained weights should reach 20 dB.
_LEAST_PSNR_DB, _LEAST_SSIM = 15.0, 0.3
# Change of the result relative to that of the clip, which shows the same person.
_LEAST_CHANGE, _MOST_CHANGE = 0.2, 4.0
_LEAST_AGREEMENT, _LEAST_TOGETHER = 0.5, 0.4
# Keypoints on collar and background do not move, so their mean moves less than the face.
_LEAST_REACH, _MOST_REACH = 0.15, 3.0


@dataclass(frozen=True)
class Finding:
    """The judgement of one property.

    Attributes:
        is_ok: whether it is as expected of a model of faces.
        sentence: what was measured, and what is expected.
    """

    is_ok: bool
    sentence: str


@dataclass(frozen=True, eq=False)
class RenderedMovement:
    """One rendered movement.

    Attributes:
        name: of the template.
        driving: the driving squares.
        keypoints: detected in them.
        frames: the animated portrait.
    """

    name: str
    driving: Pictures
    keypoints: Keypoints
    frames: Pictures


# --- keypoints ------------------------------------------------------------------------------------


def judge_places(keypoints: Keypoints) -> Finding:
    """Judge whether all keypoints are finite and inside the picture."""
    value = keypoints.value
    if not np.isfinite(value).all():
        return Finding(is_ok=False, sentence="some keypoints are NaN or infinite")
    farthest = float(np.abs(value).max())
    sentence = f"the farthest of {value.shape[1]} keypoints is at {farthest:.2f} (1 is the border)"
    return Finding(farthest <= 1.0, sentence)


def judge_spread(source: Keypoints) -> Finding:
    """Judge whether the photo's keypoints are spread over the face.

    Args:
        source: of the photo, B = 1.
    """
    share = hull_area(source.value[0]) / 4
    sentence = f"the photo's keypoints span {share:.1%} of the picture (at least {_LEAST_HULL:.0%})"
    return Finding(share >= _LEAST_HULL, sentence)


def judge_maps(keypoints: Keypoints) -> Finding:
    """Judge whether the jacobians are invertible."""
    if keypoints.jacobian is None:
        return Finding(is_ok=True, sentence="the config has no jacobians")
    maps = np.asarray(keypoints.jacobian, np.float64).reshape(-1, 2, 2)
    if not np.isfinite(maps).all():
        return Finding(is_ok=False, sentence="some jacobians are NaN or infinite")
    long, short = np.linalg.svd(maps, compute_uv=False).T
    flat = float(np.mean(long >= _MOST_STRETCHED * short))
    usual = float(np.median(long / np.maximum(short, 1e-9)))
    sentence = (
        f"the jacobians stretch one way {usual:.1f} times as much as the other; {flat:.0%} are"
        f" flat (at most {_MOST_FLAT_MAPS:.0%})"
    )
    return Finding(flat <= _MOST_FLAT_MAPS, sentence)


def judge_path(movement: RenderedMovement) -> Finding:
    """Judge whether the keypoints follow the face: same direction, together, about as far."""
    value = np.asarray(movement.keypoints.value, np.float64)
    moved = value - value[:1]
    path, face = moved.mean(axis=1), face_path(movement.driving)
    norms = float(np.sqrt((path**2).sum() * (face**2).sum()))
    agreement = _ratio(float((path * face).sum()), norms)
    length = np.linalg.norm(moved, axis=2).mean(axis=1).sum()
    together = _ratio(float(np.linalg.norm(path, axis=1).sum()), float(length))
    reach = _ratio(float(np.sqrt((path**2).sum())), float(np.sqrt((face**2).sum())))
    is_ok = (
        agreement >= _LEAST_AGREEMENT
        and together >= _LEAST_TOGETHER
        and _LEAST_REACH <= reach <= _MOST_REACH
    )
    sentence = (
        f"{movement.name}: the keypoints follow the face by {agreement:.2f} (at least"
        f" {_LEAST_AGREEMENT}), together by {together:.2f} (at least {_LEAST_TOGETHER}),"
        f" {reach:.2f} times as far ({_LEAST_REACH} to {_MOST_REACH:g})"
    )
    return Finding(is_ok, sentence)


def face_path(squares: Pictures) -> Path2d:
    """Return the mean displacement of the centre of each picture from the first one.

    Measured by dense inverse search optical flow (Kroeger et al. 2016).
    """
    greys = [cv2.cvtColor(square, cv2.COLOR_RGB2GRAY) for square in squares]
    measure = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    side = squares.shape[1]
    # The square is twice as large as the face in its middle.
    middle = slice(side // 4, side - side // 4)
    path = []
    for grey in greys:
        flow = np.asarray(measure.calc(greys[0], grey, np.zeros((side, side, 2), np.float32)))
        path.append(flow[middle, middle].mean(axis=(0, 1)))
    return np.asarray(np.stack(path) * 2 / side, np.float64)


# --- frames ---------------------------------------------------------------------------------------


def _likeness(frame: Pictures, square: Pictures) -> tuple[float, float]:
    """PSNR in dB and structural similarity of two pictures, uint8 (side, side, 3)."""
    # Slow to import.
    from skimage.metrics import structural_similarity  # noqa: PLC0415

    error = float(((frame.astype(np.float64) - square) ** 2).mean())
    psnr_db = float(10 * np.log10(255**2 / max(error, 1e-3)))
    return psnr_db, float(structural_similarity(frame, square, channel_axis=2))


def judge_first_frame(frame: Pictures, aligned: Pictures, square: Pictures) -> Finding:
    """Judge whether the photo is reproduced without movement.

    Args:
        frame: the first frame of a relative movement, uint8 (side, side, 3).
        aligned: the same with `align_corners`; reported, not judged.
        square: the photo's square.
    """
    psnr_db, ssim = _likeness(frame, square)
    aligned_psnr_db, aligned_ssim = _likeness(aligned, square)
    sentence = (
        f"the first frame is the photo by {psnr_db:.1f} dB and {ssim:.2f} (at least"
        f" {_LEAST_PSNR_DB:g} dB and {_LEAST_SSIM}); with --align_corners by"
        f" {aligned_psnr_db:.1f} dB and {aligned_ssim:.2f}"
    )
    return Finding(psnr_db >= _LEAST_PSNR_DB and ssim >= _LEAST_SSIM, sentence)


def judge_likeness(frame: Pictures, square: Pictures) -> Finding:
    """Judge whether a frame shows the photo's face; both uint8 (h, w, 3)."""
    psnr_db, ssim = _likeness(frame, square)
    sentence = (
        f"the first frame is the photo by {psnr_db:.1f} dB and {ssim:.2f} (at least"
        f" {_LEAST_PSNR_DB:g} dB and {_LEAST_SSIM})"
    )
    return Finding(psnr_db >= _LEAST_PSNR_DB and ssim >= _LEAST_SSIM, sentence)


def judge_change(name: str, driving: Pictures, frames: Pictures) -> Finding:
    """Judge whether the result changes about as much as the clip, which shows the same person."""
    change = _ratio(_change(frames), _change(driving))
    sentence = (
        f"{name}: the result changes {change:.2f} times as much as the clip"
        f" ({_LEAST_CHANGE} to {_MOST_CHANGE:g})"
    )
    return Finding(_LEAST_CHANGE <= change <= _MOST_CHANGE, sentence)


def _change(pictures: Pictures) -> float:
    """Mean absolute difference of the pictures from the first one, in 8-bit levels."""
    exact = pictures.astype(np.float64)
    return float(np.abs(exact - exact[:1]).mean())


def _ratio(one: float, other: float) -> float:
    """The quotient; 0 instead of NaN or infinity."""
    return one / other if other > 0 and np.isfinite([one, other]).all() else 0.0
