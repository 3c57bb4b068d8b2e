"""Injected faults: matching calls fail, are delayed, or lose their connection."""

import itertools
import time
from dataclasses import asdict, dataclass

from sandbox.errors import ApiError, SimError
from sandbox.json_types import JsonObject
from sandbox.parameters import Parameters

ANY = "*"
DOWNLOAD = "download"  # faults name downloads of files by this
FIELDS = frozenset(
    {
        "chat_id",
        "code",
        "contains",
        "description",
        "drop",
        "method",
        "retry_after",
        "seconds",
        "timeout",
        "times",
    }
)
DESCRIPTIONS = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden: bot was blocked by the user",
    404: "Not Found",
    409: "Conflict",
    413: "Request Entity Too Large",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    504: "Gateway Timeout",
}


@dataclass
class Fault:
    """What happens to the next `times` matching calls.

    Attributes:
        number: identifies the fault.
        method: a method, `download`, or `*` for every call except getUpdates.
        times: how many calls are left.
        code: the call is not carried out and fails with this HTTP status. Without a code the call
            is carried out, as when a message arrives but the answer is lost.
        description: of the error.
        retry_after: s, of a 429.
        contains: only calls with this text in a parameter.
        chat_id: only calls to this chat.
        until: when the fault expires, by the monotonic clock.
        hold_s: how long the answer is delayed.
        drops: whether the connection is closed instead of answered.
    """

    number: int
    method: str
    times: int
    code: int | None = None
    description: str | None = None
    retry_after: int | None = None
    contains: str | None = None
    chat_id: int | None = None
    until: float | None = None
    hold_s: float = 0.0
    drops: bool = False

    def as_error(self) -> ApiError | None:
        """Return the error, if the call is to fail."""
        if self.code is None:
            return None
        if self.code == 429:
            after = self.retry_after or 1
            text = self.description or f"Too Many Requests: retry after {after}"
            return ApiError(429, text, {"retry_after": after})
        text = self.description or DESCRIPTIONS.get(self.code, "Internal Server Error")
        return ApiError(self.code, text)

    def meets(self, method: str, call: Parameters) -> bool:
        """Return whether the fault applies to a call."""
        if self.method == ANY:
            if method == "getupdates":
                return False
        elif self.method.lower() != method:
            return False
        if self.chat_id is not None and call.text("chat_id") != str(self.chat_id):
            return False
        texts = (call.text(name) or "" for name in call)
        return self.contains is None or any(self.contains in text for text in texts)


class Faults:
    """The active faults, oldest first."""

    def __init__(self) -> None:
        self._ordered: list[Fault] = []
        self._numbers = itertools.count(1)

    def order(self, order: Parameters) -> Fault:
        """Add a fault.

        Raises:
            SimError: a field is missing or out of range.
        """
        if unknown := set(order) - FIELDS:
            known = ", ".join(sorted(FIELDS))
            raise SimError(f"A fault has no {min(unknown)!r}: it has {known}.")
        after = order.integer("retry_after")
        code = order.integer("code") or (429 if after is not None else None)
        times, seconds = order.integer("times"), order.number("seconds")
        fault = Fault(
            number=next(self._numbers),
            method=order.text("method") or ANY,
            times=1 if times is None else times,
            code=code,
            description=order.text("description"),
            retry_after=after,
            contains=order.text("contains"),
            chat_id=order.integer("chat_id"),
            until=None if seconds is None else time.monotonic() + seconds,
            hold_s=order.number("timeout") or 0.0,
            drops=order.boolean("drop"),
        )
        if fault.code is None and not fault.hold_s and not fault.drops:
            sentence = "A fault needs a code (400 to 599), a timeout in seconds, or drop=true."
            raise SimError(sentence)
        if fault.code is not None and not 400 <= fault.code <= 599:
            raise SimError(f"A fault's code is between 400 and 599, not {fault.code}.")
        if fault.times < 1:
            raise SimError("A fault happens at least once: times must be 1 or more.")
        if not 0 <= fault.hold_s <= 3600:
            raise SimError("A fault's timeout is between 0 and 3600 seconds.")
        self._ordered.append(fault)
        return fault

    def met_by(self, method: str, call: Parameters) -> Fault | None:
        """Return the first fault that applies to a call, and count it down."""
        self._forget_old()
        for fault in self._ordered:
            if fault.meets(method.lower(), call):
                fault.times -= 1
                if fault.times == 0:
                    self._ordered.remove(fault)
                return fault
        return None

    def clear(self, number: int | None = None) -> None:
        """Remove a fault, or all of them."""
        self._ordered = [
            fault for fault in self._ordered if number is not None and fault.number != number
        ]

    def _forget_old(self) -> None:
        now = time.monotonic()
        self._ordered = [
            fault for fault in self._ordered if fault.until is None or fault.until > now
        ]

    def as_json(self) -> list[JsonObject]:
        """Return the active faults."""
        self._forget_old()
        return [asdict(fault) for fault in self._ordered]
