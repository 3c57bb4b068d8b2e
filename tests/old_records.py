"""Records as version 1 wrote them, for orders and drafts of the tests."""

import json
from pathlib import Path
from typing import Any

_FILE = Path(__file__).parent / "unit" / "jobs" / "records" / "version_1.json"


def old_record(name: str, **changes: Any) -> dict[str, Any]:
    """Return one of the samples, which the classes of version 1 wrote, with other values."""
    found: dict[str, Any] = json.loads(_FILE.read_text("utf-8"))[name]
    return found | changes
