"""Signed files for tests."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.provenance.signing import Mode, Origin, Signing
from tests.integration.sandbox import media

NOW = datetime.now(UTC)
COMPOSITE = "http://cv.iptc.org/newscodes/digitalsourcetype/composite"
ORIGIN = Origin("mesh", "Made with AI: a test", COMPOSITE)


def after(days: float) -> Callable[[], datetime]:
    """A clock that stands still, so many days from now."""
    return lambda: NOW + timedelta(days=days)


def signing(folder: Path, mode: Mode = Mode.ON, days: float = 0) -> Signing:
    return Signing(folder / "provenance", mode, after(days))


async def signed(
    folder: Path, content: bytes | None = None, name: str = "video.mp4", days: float = 0
) -> bytes:
    """A file as it is sent, signed by a chain in the folder so many days from now."""
    path = folder / name
    path.write_bytes(media.clip() if content is None else content)
    return await signing(folder, days=days).sign(path, ORIGIN, "animato-smile.mp4")
