"""One device makes one video at a time, though each engine has a queue of its own."""

from collections.abc import Collection, Sequence


class DeviceSchedule:
    """Which queues may be served now: all while the device is free, else the one that holds it.

    After each order the next queue in round-robin order that has orders gets a turn, so that no
    engine's orders starve. Until that queue is known, and at the start, no queue is served.

    Args:
        queues: those of the engines that share the device.

    Attributes:
        is_undecided: whether `give_turn` has to be called next.
    """

    def __init__(self, queues: Sequence[str]) -> None:
        self._queues = tuple(queues)
        self._holder: str | None = None
        self._last: str | None = None
        self._turn: str | None = None
        self.is_undecided = len(self._queues) > 1

    def may_take(self, queue: str) -> bool:
        """Whether the device is free for an order from that queue."""
        if self.is_undecided or self._holder is not None:
            return self._holder == queue
        return self._turn in (None, queue)

    def acquire(self, queue: str) -> bool:
        """Take the device for an order from that queue; false if another one holds it."""
        if self._holder is not None:
            return False
        self._holder = self._last = queue
        self._turn = None
        self.is_undecided = False
        return True

    def release(self) -> None:
        """Release the device."""
        self._holder = None
        self.is_undecided = len(self._queues) > 1

    def give_turn(self, waiting: Collection[str]) -> str | None:
        """Return the queue that is next; None: whichever has an order first.

        Args:
            waiting: the queues in which orders wait.
        """
        self.is_undecided = False
        start = self._queues.index(self._last) + 1 if self._last is not None else 0
        circle = self._queues[start:] + self._queues[:start]
        self._turn = next((queue for queue in circle if queue in waiting), None)
        return self._turn

    def end_turn(self, queue: str) -> None:
        """Serve all queues again if that queue did not use its turn."""
        if self._turn == queue:
            self._turn = None
