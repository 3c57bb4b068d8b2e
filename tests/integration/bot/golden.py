"""Conversations as text, compared with those in `transcripts/`.

ANIMATO_WRITE_TRANSCRIPTS=1 makes a test write its file instead: read the difference before you
commit it.
"""

import os
import re
from pathlib import Path

from tests.integration.bot.running import until
from tests.integration.sandbox.desk import ALICE, Desk

FOLDER = Path(__file__).parent / "transcripts"
# What differs from run to run.
_VARIES = (
    (r"done in \d+ (s|min)", r"done in N \1"),
    (r"possible in \d+ h( \d+ min)?", "possible in N h"),
    (r"[A-Z][a-z]{2} \d{1,2}, \d{4}", "DATE"),
    (r"SHA-256: [0-9a-f]{8}", "SHA-256: HASH"),
    (r"order [cg]\d+-\w+-\d+", "order ID"),
)


async def check_transcript(desk: Desk, name: str, chat_id: int = ALICE) -> None:
    """Check that a chat reads, before long, as `transcripts/<name>.txt` does."""
    path = FOLDER / f"{name}.txt"
    if os.environ.get("ANIMATO_WRITE_TRANSCRIPTS"):
        path.write_text(await _transcript(desk, chat_id), "utf-8")
        return
    expected = path.read_text("utf-8")

    async def is_same() -> bool:
        return await _transcript(desk, chat_id) == expected

    try:
        await until(is_same)
    except TimeoutError:
        assert await _transcript(desk, chat_id) == expected


async def _transcript(desk: Desk, chat_id: int) -> str:
    text = await desk.transcript(chat_id)
    for pattern, name in _VARIES:
        text = re.sub(pattern, name, text)
    return text
