"""One device makes one video at a time, though each engine has a queue of its own."""

from collections.abc import Collection, Sequence


class DeviceGate:
    """Which queues may be served now: all while the device is free, else the one that has it.

    After each order, the next turn goes to the next queue in the circle in which orders wait, so
    that no engine's orders wait for ever behind another's. Until that is known, nobody takes any;
    so it is at first, too.

    Args:
        queues: those of the engines that share the device.
    """

    def __init__(self, queues: Sequence[str]) -> None:
        self._queues = tuple(queues)
        self._holder: str | None = None
        self._last: str | None = None
        self._turn: str | None = None
        self._is_undecided = len(self._queues) > 1

    @property
    def is_undecided(self) -> bool:
        """Whether somebody is to say in which queues orders wait (`give_turn`)."""
        return self._is_undecided

    def may_take(self, queue: str) -> bool:
        """Whether an order from there would find the device free."""
        if self._is_undecided or self._holder is not None:
            return self._holder == queue
        return self._turn in (None, queue)

    def enter(self, queue: str) -> bool:
        """Takes the device for an order from that queue; false: another one has it."""
        if self._holder is not None:
            return False
        self._holder = self._last = queue
        self._turn = None
        self._is_undecided = False
        return True

    def leave(self) -> None:
        """Sets the device free."""
        self._holder = None
        self._is_undecided = len(self._queues) > 1

    def give_turn(self, waiting: Collection[str]) -> str | None:
        """Decides who is next; None: whoever comes first.

        Args:
            waiting: the queues in which orders wait.
        """
        self._is_undecided = False
        start = self._queues.index(self._last) + 1 if self._last is not None else 0
        circle = self._queues[start:] + self._queues[:start]
        self._turn = next((queue for queue in circle if queue in waiting), None)
        return self._turn

    def end_turn(self, queue: str) -> None:
        """Lets everybody take orders, if that queue has had its turn and nothing came of it."""
        if self._turn == queue:
            self._turn = None
