"""What is said about a signed file after somebody or something has changed it."""

import asyncio
import subprocess
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from imageio_ffmpeg import get_ffmpeg_exe

from bot.provenance import certificates
from bot.provenance.signing import Mode, Origin, Signing
from bot.provenance.verifying import Credentials, CredentialsUnreadable, read_credentials
from tests.integration.sandbox import media
from tests.unit.bot.provenance.signed import COMPOSITE, ORIGIN, signed, signing
from tests.unit.bot.provenance.test_signing import boxes

BMFF = ("assertion.bmffHash.mismatch",)


@pytest.fixture
async def video(tmp_path: Path) -> bytes:
    return await signed(tmp_path)


def read(content: bytes) -> Credentials | None:
    return read_credentials(BytesIO(content))


def problems(content: bytes) -> tuple[str, ...]:
    """What is wrong with a file that has Content Credentials."""
    found = read(content)
    assert found is not None
    assert not found.is_valid
    return found.problems


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.parametrize("kind", [b"mdat", b"moov"])
def test_flipped_bit_in_pictures_or_their_index_is_a_change(video: bytes, kind: bytes) -> None:
    inside = video.index(kind) + 4 + len(dict(boxes(video))[kind]) // 2
    assert problems(flipped(video, inside)) == BMFF


def test_cut_off_end_is_a_change(video: bytes) -> None:
    assert problems(video[:-100]) != ()


def test_bytes_at_the_end_are_a_change(video: bytes) -> None:
    assert problems(video + bytes(100)) == BMFF
    (reason,) = problems(video + b"x" * 100)
    assert "could not be parsed" in reason


def test_other_words_about_how_it_was_made_are_a_change(video: bytes) -> None:
    assert problems(video.replace(b"Made with AI: a", b"Made by hand: a")) == (
        "assertion.hashedURI.mismatch",
    )
    term = video.replace(b"digitalsourcetype/composite", b"digitalsourcetype/humanEdits")
    assert problems(term) != ()


def test_other_title_is_a_change(video: bytes) -> None:
    changed = video.replace(b"animato-smile.mp4", b"holiday-smile.mp4")
    assert problems(changed) == ("claimSignature.mismatch",)


def test_credentials_of_another_file_do_not_hold(video: bytes) -> None:
    (first, *others), (_, credentials, *_rest) = boxes(media.clip(seed=3)), boxes(video)
    whole = (first, credentials, *others)
    assert (
        problems(b"".join((len(box) + 8).to_bytes(4) + kind + box for kind, box in whole)) == BMFF
    )


def test_remux_and_encoding_again_lose_them(video: bytes, tmp_path: Path) -> None:
    (tmp_path / "signed.mp4").write_bytes(video)
    for number, options in enumerate((("-c", "copy"), ("-preset", "ultrafast"))):
        output = tmp_path / f"{number}.mp4"
        command = [get_ffmpeg_exe(), "-loglevel", "error", "-i", tmp_path / "signed.mp4"]
        subprocess.run([*command, *options, output], check=True)
        assert read(output.read_bytes()) is None


def test_video_that_was_never_signed_has_none() -> None:
    assert read(media.clip()) is None
    assert read(media.gif()) is None


async def test_changed_gif_is_found(tmp_path: Path) -> None:
    gif = await signed(tmp_path, media.gif(), "animation.gif")
    for changed in (flipped(gif, len(gif) // 2), gif[:-100], gif + b"x"):
        assert problems(changed) != ()


@pytest.mark.parametrize("content", [b"", b"hello", media.video_sticker(), bytes(3000)])
def test_other_formats_are_told_apart_from_unsigned_files(content: bytes) -> None:
    with pytest.raises(CredentialsUnreadable, match="this format is not supported"):
        read(content)


def test_every_flipped_bit_in_them_is_found_or_harmless(video: bytes) -> None:
    unchanged = read(video)
    start = video.index(b"uuid")
    size = int.from_bytes(video[start - 4 : start])
    for place in range(start + 30, start + size - 4, 41):
        found = read(flipped(video, place))
        assert found is None or found.problems or found == unchanged, place


async def test_after_the_certificate_has_expired_the_signature_is_no_longer_valid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Issued a year ago, it ends a moment after the file was signed.
    monkeypatch.setattr(certificates, "RENEWED_BEFORE", timedelta())
    monkeypatch.setattr(certificates, "_SIGNER_LIFE", timedelta(seconds=2))
    (tmp_path / "video.mp4").write_bytes(media.clip())
    bot = Signing(tmp_path / "provenance", Mode.REQUIRED)
    content = await bot.sign(tmp_path / "video.mp4", ORIGIN, "animato.mp4")
    async with asyncio.timeout(60):
        while (found := read(content)) is None or not found.is_expired:
            assert found is not None
            assert found.is_valid
            await asyncio.sleep(0.1)
    assert found.problems == ()
    assert not found.is_valid


async def test_strangers_texts_are_fit_for_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "video.mp4").write_bytes(media.clip())
    origin = Origin("mesh", "\x1b[2J" + "x" * 1000, COMPOSITE)
    content = await signing(tmp_path).sign(tmp_path / "video.mp4", origin, "animato.mp4")
    found = read(content)
    assert found is not None
    assert found.is_valid
    assert found.description == "?[2J" + "x" * 196
