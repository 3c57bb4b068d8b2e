"""Telegram's flood limits, enforced on request."""

import math
from collections import deque
from dataclasses import dataclass

# As documented: about one message per second to a chat, with short bursts; 20 per minute to a
# group; 30 per second overall, more for some bots. Edits and reactions count as messages.
PRIVATE_BURST = 5
GROUP_LIMIT, GROUP_WINDOW_S = 20, 60.0
TOTAL_LIMIT, TOTAL_WINDOW_S = 30, 1.0
COUNTED = ("send", "edit", "copy", "forward", "setmessagereaction")
NOT_COUNTED = "sendchataction"


@dataclass
class _Bucket:
    """A token bucket that refills by one per second."""

    tokens: float
    at: float


class FloodLimits:
    """Decides how long a call has to wait. Times are in s, of any clock.

    Args:
        messages_per_second: the limit of all chats together.
    """

    def __init__(self, messages_per_second: int = TOTAL_LIMIT) -> None:
        self._total_limit = messages_per_second
        self._total: deque[float] = deque()
        self._groups: dict[int, deque[float]] = {}
        self._private: dict[int, _Bucket] = {}

    def wait_s(self, method: str, chat_id: int | None, now: float) -> int:
        """Return 0 and count the call if it may proceed, else the seconds to wait."""
        name = method.lower()
        if chat_id is None or not name.startswith(COUNTED) or name == NOT_COUNTED:
            return 0
        group = self._groups.setdefault(chat_id, deque()) if chat_id < 0 else deque[float]()
        bucket = self._private.setdefault(chat_id, _Bucket(PRIVATE_BURST, now))
        tokens = min(PRIVATE_BURST, bucket.tokens + now - bucket.at)
        waits = [
            _window_wait_s(self._total, self._total_limit, TOTAL_WINDOW_S, now),
            _window_wait_s(group, GROUP_LIMIT, GROUP_WINDOW_S, now),
            1 - tokens if chat_id > 0 else 0,
        ]
        if (wait_s := max(waits)) > 0:
            return max(1, math.ceil(wait_s))
        self._total.append(now)
        group.append(now)
        bucket.tokens, bucket.at = tokens - 1, now
        return 0


def _window_wait_s(times: "deque[float]", limit: int, window_s: float, now: float) -> float:
    while times and times[0] <= now - window_s:
        times.popleft()
    return times[0] + window_s - now if len(times) >= limit else 0.0
