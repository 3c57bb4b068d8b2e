"""Convert pictures with an nclx colour profile (the code points of ITU-T H.273) to sRGB.

    code --EOTF--> display light, relative to white --tone mapping--> --primaries--> sRGB

Sources: ITU-R BT.2100-2, tables 4 (PQ) and 5 (HLG); ITU-R BT.2408, which puts diffuse white at 203
cd/m2; ITU-R BT.2390, section 5.4.1, for the tone mapping (EETF); ITU-R BT.2087 and SMPTE EG 432-1
for the primaries; IEC 61966-2-1 for sRGB.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from inference.arrays import Picture

Codes = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
Light = npt.NDArray[np.float32]

# Numbers of ITU-T H.273.
_PQ, _HLG = 16, 18
# (x, y) of red, green and blue; white is D65 for all of them.
_PRIMARIES = {
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),  # BT.2020
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),  # Display P3
}
_SRGB_PRIMARIES = ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060))
_D65 = (0.3127, 0.3290)

_WHITE_NITS = 203.0
_PQ_PEAK_NITS = 10_000.0
# HLG is relative to the display; on this one, its reference white (75 %) is at 203 cd/m2.
_HLG_PEAK_NITS = 1000.0
_HLG_GAMMA = 1.2
_BT2020_LUMA = np.array([0.2627, 0.6780, 0.0593], dtype=np.float32)
# Ignore a few specular pixels.
_PEAK_PERCENTILE = 99.9
_ROWS = 256


def is_hdr(profile: Mapping[str, Any]) -> bool:
    """Return whether the transfer function is PQ or HLG, for which 8 bits are too coarse."""
    return profile["transfer_characteristics"] in (_PQ, _HLG)


def is_plain(profile: Mapping[str, Any]) -> bool:
    """Return whether the picture can be taken for sRGB as it is."""
    return not is_hdr(profile) and profile["color_primaries"] not in _PRIMARIES


def to_srgb(codes: Codes, bit_depth: int, profile: Mapping[str, Any]) -> Picture:
    """Convert to sRGB, uint8 (H, W, 3) RGB.

    Diffuse white (203 cd/m2) becomes white. Highlights above it are compressed; colours outside
    sRGB are clipped.

    Args:
        codes: full-range RGB, (H, W, 3), from 0 to 2**bit_depth - 1.
        bit_depth: 8 to 16.
        profile: `color_primaries` and `transfer_characteristics` as ITU-T H.273 code points.
    """
    levels = np.linspace(0, 1, 2**bit_depth, dtype=np.float64)
    transfer = profile["transfer_characteristics"]
    light = {_PQ: _pq_light, _HLG: _hlg_light}.get(transfer, _srgb_light)(levels)
    curve = light.astype(np.float32)
    matrix = _matrix_to_srgb(_PRIMARIES.get(profile["color_primaries"], _SRGB_PRIMARIES))
    # Every fourth pixel is enough to know how bright it is.
    brightest = np.percentile(codes[::4, ::4].max(axis=2), _PEAK_PERCENTILE, method="higher")
    peak = curve[int(brightest)]
    if transfer == _HLG:
        peak = peak**_HLG_GAMMA * (_HLG_PEAK_NITS / _WHITE_NITS)
    picture = np.empty(codes.shape, dtype=np.uint8)
    for start in range(0, len(codes), _ROWS):
        rows = curve[codes[start : start + _ROWS]]
        if transfer == _HLG:
            luminance = np.maximum(rows @ _BT2020_LUMA, 1e-6)[..., None]
            rows = rows * luminance ** (_HLG_GAMMA - 1) * (_HLG_PEAK_NITS / _WHITE_NITS)
        if is_hdr(profile) and peak > 1:
            rows = _tone_mapped(rows, float(peak))
        picture[start : start + _ROWS] = _srgb_codes(rows @ matrix.T)
    return picture


def _srgb_light(code: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)


def _srgb_codes(light: Light) -> Picture:
    light = np.clip(light, 0, 1)
    code = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return (code * 255 + 0.5).astype(np.uint8)


# --- PQ and HLG -----------------------------------------------------------------------------------

_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32


def _pq_light(code: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """BT.2100 table 4, EOTF; 1 is diffuse white."""
    root = code ** (1 / _M2)
    nits = _PQ_PEAK_NITS * (np.maximum(root - _C1, 0) / (_C2 - _C3 * root)) ** (1 / _M1)
    return nits / _WHITE_NITS


def _pq_code(light: Any) -> Any:
    """The inverse of `_pq_light`."""
    power = (light * (_WHITE_NITS / _PQ_PEAK_NITS)) ** _M1
    return ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2


def _hlg_light(code: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """BT.2100 table 5, inverse OETF: scene light, 0 to 1, before the OOTF."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)


def _tone_mapped(light: Light, peak: float) -> Light:
    """Map `peak` to 1 and keep dark and middle tones (BT.2390 EETF).

    Applied to the largest of the three channels, which keeps the hue.
    """
    brightest = np.clip(light.max(axis=2), 1e-6, peak)
    source_peak = _pq_code(peak)
    level = _pq_code(brightest) / source_peak
    target_peak = _pq_code(1.0) / source_peak
    knee = 1.5 * target_peak - 0.5
    t = np.maximum(level - knee, 0) / (1 - knee)
    spline = (
        (2 * t**3 - 3 * t**2 + 1) * knee
        + (t**3 - 2 * t**2 + t) * (1 - knee)
        + (-2 * t**3 + 3 * t**2) * target_peak
    )
    mapped = _pq_light(np.where(level < knee, level, spline) * source_peak)
    scale: Light = (mapped / brightest).astype(np.float32)
    return light * scale[..., None]


# --- primaries ------------------------------------------------------------------------------------


def _matrix_to_srgb(primaries: tuple[tuple[float, float], ...]) -> Light:
    """(3, 3): linear RGB of these primaries to linear sRGB."""
    to_srgb = np.linalg.inv(_matrix_to_xyz(_SRGB_PRIMARIES))
    matrix: Light = (to_srgb @ _matrix_to_xyz(primaries)).astype(np.float32)
    return matrix


def _matrix_to_xyz(primaries: tuple[tuple[float, float], ...]) -> npt.NDArray[np.float64]:
    """(3, 3): linear RGB to CIE XYZ (SMPTE RP 177)."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in (*primaries, _D65)]).T
    return columns[:, :3] * np.linalg.solve(columns[:, :3], columns[:, 3])
