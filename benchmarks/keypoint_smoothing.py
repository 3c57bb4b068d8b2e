"""The effect of smoothing keypoints: `python -m benchmarks.keypoint_smoothing`.

Ten keypoints follow the shipped nod, one of them on an eyelid that blinks; noise stands for the
jitter of a detector. There is one row per strength, and one for the One Euro filter.
"""

import sys
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from inference.mesh.curves import values_at
from inference.motion import Keypoints, smooth
from jobs.curves import CurveName
from jobs.templates import Catalogue, CurveMotion

Positions = npt.NDArray[np.float64]
"""(frames, keypoints, 2) in [-1, 1]."""

FPS = 25.0
JITTER = 0.005
BLINK = 0.04
STRENGTHS_S = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3)


def nod() -> Positions:
    """Return the noise-free movement; keypoint 0 is on an eyelid."""
    motion = Catalogue.load().get("nod").motion
    if not isinstance(motion, CurveMotion):
        message = "the shipped nod is drawn"
        raise TypeError(message)
    base = np.random.default_rng(3).uniform(-0.6, 0.6, (10, 2))
    path = np.repeat(base[None], motion.frame_count, axis=0)
    for index in range(motion.frame_count):
        now = values_at(motion, index / FPS)
        path[index, :, 1] += now[CurveName.PITCH] * (1 - 0.5 * base[:, 1])
        path[index, 0, 1] += BLINK * now[CurveName.BLINK_LEFT]
    return path


def ours(strength_s: float) -> Callable[[Positions], Positions]:
    """Smooth as the program does at this strength."""

    def apply(path: Positions) -> Positions:
        frames = list(smooth([Keypoints(path.astype(np.float32))], strength_s, FPS))
        return Keypoints.joined(frames).value.astype(np.float64)

    return apply


def one_euro(path: Positions) -> Positions:
    """Apply the One Euro filter (Casiez et al. 2012) with the best of a dozen settings."""
    at_rest_s, speed_factor, of_speed_hz = 0.1, 20.0, 1.0
    smoothed, speed = [path[0]], np.zeros_like(path[0])
    for before, now in pairwise(path):
        speed = speed + _share(of_speed_hz) * ((now - before) * FPS - speed)
        length = np.linalg.norm(speed, axis=-1, keepdims=True)
        cutoff_hz = 1 / (2 * np.pi * at_rest_s) + speed_factor * length
        smoothed.append(smoothed[-1] + _share(cutoff_hz) * (now - smoothed[-1]))
    return np.stack(smoothed)


def _share(cutoff_hz: float | npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(1 / (1 + FPS / (2 * np.pi * cutoff_hz)))


def lag_ms(found: Positions, clean: Positions) -> float:
    """Return the delay of the clean movement that matches the filtered one best."""
    times = np.arange(len(clean)) / FPS
    heights = clean[..., 1].mean(axis=1)
    delays_s = np.arange(-0.05, 0.2, 0.001)
    errors = [
        ((np.interp(times - delay, times, heights) - found[..., 1].mean(axis=1)) ** 2).mean()
        for delay in delays_s
    ]
    return float(1000 * delays_s[int(np.argmin(errors))])


def rms(path: Positions) -> float:
    """Return the root mean square."""
    return float(np.sqrt((path**2).mean()))


def main() -> None:
    """Print the table."""
    clean = nod()
    shaken = clean + np.random.default_rng(0).normal(0, JITTER, clean.shape)
    filters = {f"{strength:g}": ours(strength) for strength in STRENGTHS_S}
    row("strength (s)", "jitter left", "error left", "nod's height", "blink's depth", "lag (ms)")
    for name, apply in {**filters, "One Euro": one_euro}.items():
        steady, of_clean = apply(shaken), apply(clean)
        # Against the clean path: what is left of the jitter, not the nod's own turning points.
        left = rms(np.diff(steady - clean, 2, axis=0)) / rms(np.diff(shaken - clean, 2, axis=0))
        error = rms(steady - clean) / rms(shaken - clean)
        nod_height = (
            np.ptp(of_clean[:, 1:, 1], axis=0).sum() / np.ptp(clean[:, 1:, 1], axis=0).sum()
        )
        eyelid = [path[:, 0, 1] - path[:, 1, 1] for path in (of_clean, clean)]
        second = slice(int(2.2 * FPS), int(3.0 * FPS))  # the head is at rest then
        blink = np.ptp(eyelid[0][second]) / np.ptp(eyelid[1][second])
        shares = (left, error, nod_height, blink)
        row(name, *(f"{share:.0%}" for share in shares), f"{lag_ms(of_clean, clean):.0f}")


def row(*cells: str) -> None:
    """Print one line of the table."""
    sys.stdout.write("| " + " | ".join(cells) + " |\n")


if __name__ == "__main__":
    main()
