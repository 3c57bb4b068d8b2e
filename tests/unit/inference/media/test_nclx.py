"""HEIC photos whose colours are stated by numbers come out as they were meant."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pillow_heif
import pytest
import skimage.data

from inference.media.photo import read_photo

Picture = npt.NDArray[np.uint8]
Light = npt.NDArray[np.float64]

PORTRAIT: Picture = np.ascontiguousarray(skimage.data.astronaut()[::2, ::2])
BT709, BT2020, P3 = 1, 9, 12
SRGB, BT2020_10, PQ, HLG = 13, 14, 16, 18
# Linear sRGB to linear RGB of other primaries, rounded as the standards print them.
FROM_SRGB = {
    BT709: np.eye(3),
    # ITU-R BT.2087, M2.
    BT2020: np.array(
        [[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]]
    ),
    # SMPTE EG 432-1.
    P3: np.array([[0.8225, 0.1774, 0.0], [0.0332, 0.9669, 0.0], [0.0171, 0.0724, 0.9108]]),
}


def light_of(picture: Picture) -> Light:
    code = picture / 255
    return np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)


def srgb_code(light: Light) -> Light:
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def pq_code(light: Light) -> Light:
    """ITU-R BT.2100 table 4, with white at 203 cd/m2."""
    power = (light * 203 / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def hlg_code(light: Light) -> Light:
    """ITU-R BT.2100 table 5, with white at 203 cd/m2 of 1000."""
    shown = light * 203 / 1000
    luminance = np.maximum(shown @ [0.2627, 0.6780, 0.0593], 1e-9)[..., None]
    scene = np.clip(shown * luminance ** (1 / 1.2 - 1), 0, 1)
    bright = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), bright)


CODES = {SRGB: srgb_code, BT2020_10: srgb_code, PQ: pq_code, HLG: hlg_code}


def heic(path: Path, light: Light, primaries: int, transfer: int, *, bit_depth: int = 10) -> Path:
    """A HEIC file without an ICC profile, of linear sRGB (H, W, 3) in which 1 is diffuse white."""
    code = np.clip(CODES[transfer](np.clip(light @ FROM_SRGB[primaries].T, 0, None)), 0, 1)
    height, width = code.shape[:2]
    form, top, kind = ("RGB", 255, "u1") if bit_depth == 8 else ("RGB;16", 65535, "<u2")
    data = (code * top).round().astype(kind).tobytes()
    pillow_heif.from_bytes(mode=form, size=(width, height), data=data).save(
        path,
        quality=95,
        chroma=444,
        color_primaries=primaries,
        transfer_characteristics=transfer,
        matrix_coefficients=6 if transfer == SRGB else 9,
        full_range_flag=1,
    )
    return path


@pytest.mark.parametrize(
    ("primaries", "transfer", "bit_depth"),
    [
        (BT2020, PQ, 10),
        (BT2020, HLG, 10),
        (P3, PQ, 10),
        (BT709, HLG, 10),
        (BT2020, PQ, 8),
        (P3, SRGB, 8),
        (P3, SRGB, 10),
        (BT2020, BT2020_10, 10),
        (BT709, SRGB, 8),
    ],
)
def test_a_photo_stated_by_numbers_looks_as_it_did(
    tmp_path: Path, primaries: int, transfer: int, bit_depth: int
) -> None:
    path = heic(tmp_path / "a.heic", light_of(PORTRAIT), primaries, transfer, bit_depth=bit_depth)
    difference = np.abs(read_photo(path).picture.astype(int) - PORTRAIT)
    assert difference.mean() < (4 if bit_depth == 8 else 2.5)
    assert np.percentile(difference, 99) < (16 if bit_depth == 8 else 10)


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_highlights_are_compressed_and_the_rest_stays(tmp_path: Path, transfer: int) -> None:
    # A grey wedge from black to 4 times diffuse white, 812 cd/m2, and skin below it.
    wedge = np.repeat(np.linspace(0, 4, 256)[None, :, None], 64, axis=0).repeat(3, axis=2)
    skin = np.full((64, 256, 3), light_of(np.array([[[200, 150, 120]]], dtype=np.uint8))[0, 0])
    path = heic(tmp_path / "a.heic", np.concatenate([wedge, skin]), BT2020, transfer)
    picture = read_photo(path).picture.astype(int)
    row = picture[32].mean(axis=1)
    # Brighter is never darker, and white is reached only by the brightest part.
    assert np.diff(row).min() >= -2
    assert row[16] < row[64] < row[128] < row[192] <= 255
    assert row[-4:].mean() >= 250
    # Skin at 40 % of diffuse white keeps its look.
    assert np.abs(picture[96].mean(axis=0) - [200, 150, 120]).max() <= 12


def test_a_large_hdr_photo_is_reduced(tmp_path: Path) -> None:
    large = PORTRAIT.repeat(6, axis=0)
    photo = read_photo(heic(tmp_path / "a.heic", light_of(large), BT2020, PQ))
    assert photo.picture.shape == (1280, 213, 3)
    assert (photo.original_width, photo.original_height) == (256, 1536)
    assert abs(float(photo.picture.mean()) - float(PORTRAIT.mean())) < 2
