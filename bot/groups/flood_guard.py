"""Limits how much one person can ask for in a group.

Telegram lets a bot send 20 messages a minute to a group, which its answers to everybody share. So
it handles at most 12 commands, replies and taps of a person in any minute. In private, a flood
delays only its own person.
"""

import time
from collections import deque
from collections.abc import Callable

_MOST = 12
_WINDOW_S = 60.0
_MANY = 1000

GroupMember = tuple[int, int]
"""A group and a person in it."""


class FloodGuard:
    """Counts commands, replies and taps in groups.

    Args:
        clock: a monotonic clock, s.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._admitted: dict[GroupMember, deque[tuple[int, float]]] = {}

    def admits(self, member: GroupMember, update_id: int) -> bool:
        """Whether an update is to be handled; one that was admitted before is again."""
        now_s = self._clock()
        if len(self._admitted) > _MANY:
            self._admitted = {
                key: found
                for key, found in self._admitted.items()
                if found[-1][1] > now_s - _WINDOW_S
            }
        admitted = self._admitted.setdefault(member, deque(maxlen=_MOST))
        if any(known == update_id for known, _ in admitted):
            return True
        if len(admitted) == _MOST and admitted[0][1] > now_s - _WINDOW_S:
            return False
        admitted.append((update_id, now_s))
        return True
