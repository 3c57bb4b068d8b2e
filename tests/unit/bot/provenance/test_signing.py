"""What is signed, what it says, and what happens if that is impossible."""

import asyncio
import subprocess
import sys
from contextlib import suppress
from importlib.metadata import version
from io import BytesIO
from pathlib import Path

import c2pa
import pytest
from prometheus_client import CollectorRegistry

from bot.provenance import signing as module
from bot.provenance.signing import FORMATS, Mode, NotSigned, Origin, Signing, Unsignable
from bot.provenance.verifying import (
    Credentials,
    CredentialsUnreadable,
    make_context,
    read_credentials,
)
from jobs.errors import BadSettings
from jobs.metrics.order_metrics import OrderMetrics
from tests.integration.sandbox import media
from tests.unit.bot.provenance.signed import COMPOSITE, ORIGIN, signed, signing
from tests.unit.bot.provenance.test_certificates import owners


@pytest.fixture
def video(tmp_path: Path) -> Path:
    (tmp_path / "video.mp4").write_bytes(media.clip())
    return tmp_path / "video.mp4"


async def test_signed_video_says_how_it_was_made_and_with_what(tmp_path: Path) -> None:
    found = read_credentials(BytesIO(await signed(tmp_path)))
    assert found is not None
    assert found.is_valid
    assert not found.is_known
    assert found.source_type == COMPOSITE
    assert found.description == "Made with AI: a test"
    release = version("animato")
    assert (found.product, found.agent) == (f"Animato {release}", f"Animato mesh {release}")
    assert found.signer == "Animato (self-hosted)"
    known = read_credentials(
        BytesIO(await signed(tmp_path)), (tmp_path / "provenance" / "root.pem").read_text("ascii")
    )
    assert known is not None
    assert known.is_known


async def test_manifest_has_no_picture_no_ingredient_no_time_and_no_name(tmp_path: Path) -> None:
    with make_context() as context:
        reader = c2pa.Reader("video/mp4", BytesIO(await signed(tmp_path)), context=context)
    manifest = reader.get_active_manifest()
    assert set(manifest) == {
        *("claim_generator_info", "title", "instance_id", "assertions", "signature_info"),
        *("label", "claim_version"),
    }
    assert manifest["title"] == "animato-smile.mp4"
    assert "time" not in manifest["signature_info"]
    labels = [assertion["label"] for assertion in manifest["assertions"]]
    assert sorted(labels) == ["c2pa.actions.v2", "c2pa.hash.bmff.v3"]
    (actions,) = (one["data"] for one in manifest["assertions"] if "actions" in one["label"])
    (action,) = actions["actions"]
    assert set(action) == {"action", "digitalSourceType", "softwareAgent", "description"}
    assert action["action"] == "c2pa.created"


async def test_signing_adds_one_box_after_the_first_and_changes_nothing_else(
    tmp_path: Path,
) -> None:
    content, plain = await signed(tmp_path), media.clip()
    (first, *others), whole = boxes(plain), boxes(content)
    assert [kind for kind, _ in whole] == [first[0], b"uuid", *(kind for kind, _ in others)]
    moved = [kind for kind, _ in others if kind == b"moov"]
    assert moved == [b"moov"]
    assert dict(others)[b"mdat"] == dict(whole)[b"mdat"]
    assert 3000 < len(content) - len(plain) < 4000


def boxes(content: bytes) -> list[tuple[bytes, bytes]]:
    """The outermost boxes of an mp4: kind and content."""
    found, start = [], 0
    while start < len(content):
        size = int.from_bytes(content[start : start + 4])
        found.append((content[start + 4 : start + 8], content[start + 8 : start + size]))
        start += size
    return found


async def test_gif_is_signed_and_still_a_gif(tmp_path: Path) -> None:
    content = await signed(tmp_path, media.gif(), "animation.gif")
    assert content.startswith(b"GIF89a")
    assert b"c2pa.thumbnail" not in content
    found = read_credentials(BytesIO(content))
    assert found is not None
    assert found.is_valid
    assert set(FORMATS) == {".mp4", ".gif"}


async def test_video_sticker_has_no_place_for_it_and_goes_unsigned_unless_that_is_refused(
    tmp_path: Path,
) -> None:
    path = tmp_path / "sticker.webm"
    path.write_bytes(media.video_sticker())
    on = signing(tmp_path)
    assert await on.sign(path, ORIGIN, "animato.webm") == media.video_sticker()
    assert (on.take_problem(), on.can_sign(".webm")) == ("", True)
    required = signing(tmp_path, Mode.REQUIRED)
    assert not required.can_sign(".webm")
    with pytest.raises(Unsignable):
        await required.sign(path, ORIGIN, "animato.webm")


async def test_nothing_is_signed_and_no_key_made_if_it_is_off(tmp_path: Path, video: Path) -> None:
    off = signing(tmp_path, Mode.OFF)
    await off.prepare()
    assert await off.sign(video, ORIGIN, "animato.mp4") == media.clip()
    assert not off.is_working
    assert [path.name for path in tmp_path.iterdir()] == ["video.mp4"]


async def test_unknown_origin_claims_no_more_than_is_known(tmp_path: Path, video: Path) -> None:
    content = await signing(tmp_path).sign(video, Origin(), "animato.mp4")
    found = read_credentials(BytesIO(content))
    assert found is not None
    assert (found.source_type, found.agent) == (COMPOSITE, f"Animato {version('animato')}")


async def test_certificate_that_has_expired_stops_only_what_must_be_signed(
    tmp_path: Path, video: Path, caplog: pytest.LogCaptureFixture
) -> None:
    owners(tmp_path / "provenance", days=-1)
    on = signing(tmp_path)
    await on.prepare()
    assert "valid from" in on.take_problem()
    assert await on.sign(video, ORIGIN, "animato.mp4") == media.clip()
    assert "own-signer.pem cannot be used to sign: it is valid from" in on.take_problem()
    assert on.take_problem() == ""
    assert not on.is_working
    assert "animato.mp4 is sent unsigned" in caplog.text
    required = signing(tmp_path, Mode.REQUIRED)
    await required.prepare()
    with pytest.raises(NotSigned, match="valid from"):
        await required.sign(video, ORIGIN, "animato.mp4")
    owners(tmp_path / "provenance", days=90)
    assert await required.sign(video, ORIGIN, "animato.mp4") != media.clip()
    assert required.is_working, "without a restart"


async def test_library_itself_refuses_a_certificate_that_has_expired(
    tmp_path: Path, video: Path
) -> None:
    # By the bot's clock it is still valid.
    owners(tmp_path / "provenance", days=-1)
    required = signing(tmp_path, Mode.REQUIRED, days=-2)
    with pytest.raises(NotSigned, match="not valid at time of signing"):
        await required.sign(video, ORIGIN, "animato.mp4")


async def test_own_chain_made_by_a_slow_clock_is_renewed_before_it_signs(
    tmp_path: Path, video: Path
) -> None:
    await signing(tmp_path, days=-400).prepare()
    content = await signing(tmp_path, Mode.REQUIRED).sign(video, ORIGIN, "animato.mp4")
    found = read_credentials(BytesIO(content))
    assert found is not None
    assert found.is_valid


async def test_file_that_is_no_video_is_unsignable_and_nothing_else_is(
    tmp_path: Path, video: Path, caplog: pytest.LogCaptureFixture
) -> None:
    video.write_bytes(b"no video" * 100)
    with pytest.raises(Unsignable) as raised:
        await signing(tmp_path, Mode.REQUIRED).sign(video, ORIGIN, "animato.mp4")
    assert "could not be parsed" in str(raised.value.fields["reason"])
    assert await signing(tmp_path).sign(video, ORIGIN, "animato.mp4") == b"no video" * 100
    assert "animato.mp4 is sent unsigned: " in caplog.text


@pytest.mark.parametrize("mode", [Mode.ON, Mode.REQUIRED])
async def test_only_several_bad_files_in_a_row_mean_that_nothing_can_be_signed(
    tmp_path: Path, video: Path, mode: Mode
) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video" * 100)
    registry = CollectorRegistry()
    bot = Signing(tmp_path / "provenance", mode, metrics=OrderMetrics(registry))

    async def sign(path: Path) -> None:
        with suppress(Unsignable):
            await bot.sign(path, ORIGIN, "animato.mp4")

    for path in (broken, broken, video, broken, broken):
        await sign(path)
        assert (bot.is_working, bot.take_problem()) == (True, "")
    await sign(broken)
    assert not bot.is_working
    assert "could not be parsed" in bot.take_problem()
    await sign(video)
    await sign(broken)
    assert (bot.is_working, bot.take_problem()) == (True, "")
    assert registry.get_sample_value("animato_unsigned_total") == 6


async def test_file_whose_signature_does_not_hold_is_not_sent_as_signed(
    tmp_path: Path,
    video: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(module, "read_credentials", lambda _file: Credentials(problems=("any",)))
    with pytest.raises(Unsignable):
        await signing(tmp_path, Mode.REQUIRED).sign(video, ORIGIN, "animato.mp4")
    assert await signing(tmp_path).sign(video, ORIGIN, "animato.mp4") == media.clip()
    assert "sent unsigned: its Content Credentials do not hold" in caplog.text


async def test_file_that_cannot_be_read_back_is_sent_unsigned(
    tmp_path: Path,
    video: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fails(_file: object) -> None:
        raise CredentialsUnreadable(reason="this format is not supported")

    monkeypatch.setattr(module, "read_credentials", fails)
    assert await signing(tmp_path).sign(video, ORIGIN, "animato.mp4") == media.clip()
    assert "sent unsigned: this format is not supported" in caplog.text


async def test_missing_library_is_told_and_refused_at_the_start_where_it_is_required(
    tmp_path: Path, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "c2pa", None)
    with pytest.raises(BadSettings, match=r"ANIMATO_PROVENANCE is required\..*c2pa-python cannot"):
        await signing(tmp_path, Mode.REQUIRED).prepare()
    on = signing(tmp_path)
    await on.prepare()
    assert "c2pa-python cannot be used" in on.take_problem()
    assert await on.sign(video, ORIGIN, "animato.mp4") == media.clip()


async def test_only_an_owners_certificate_is_told_before_its_end(tmp_path: Path) -> None:
    await signing(tmp_path).prepare()
    assert signing(tmp_path, days=340).owners_chain() is None
    owners(tmp_path / "provenance", days=60)
    assert signing(tmp_path).owners_chain() is None
    due = signing(tmp_path, days=31).owners_chain()
    assert due is not None
    assert due.path.name == "own-signer.pem"
    assert signing(tmp_path, Mode.OFF, days=31).owners_chain() is None


async def test_several_files_are_signed_at_the_same_time(tmp_path: Path, video: Path) -> None:
    bot = signing(tmp_path)
    contents = await asyncio.gather(
        *(bot.sign(video, ORIGIN, f"animato-{number}.mp4") for number in range(8))
    )
    assert len(set(contents)) == 8
    for content in contents:
        found = read_credentials(BytesIO(content))
        assert found is not None
        assert found.is_valid


def test_loading_the_modules_does_not_load_the_library() -> None:
    code = "import sys, bot.provenance.signing; print('c2pa' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "False\n"
