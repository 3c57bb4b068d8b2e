"""Failures on order: the next calls that match fail, are held, or lose their connection."""

import itertools
import time
from dataclasses import asdict, dataclass

from sandbox.errors import ApiError, SimError
from sandbox.json_types import JsonObject
from sandbox.parameters import Parameters

ANY = "*"
DOWNLOAD = "download"  # the name under which faults meet the download of a file
WISHES = frozenset(
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
    """What the next `times` matching calls meet.

    `method` is a method's name, `download`, or `*` for every call but getUpdates, of which one
    always waits, and which has to be named. `chat_id` and `contains` (a piece of any parameter's
    text) narrow it. With a `code` the call is refused and not done. `hold_s` holds the answer back;
    `drops` closes the connection in the place of an answer. Without a code the call is done all the
    same, as when a message arrives and the answer to its sender does not. It ends by itself at
    `until`, a time of the monotonic clock.
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
        """The refusal, if it is one."""
        if self.code is None:
            return None
        if self.code == 429:
            after = self.retry_after or 1
            text = self.description or f"Too Many Requests: retry after {after}"
            return ApiError(429, text, {"retry_after": after})
        text = self.description or DESCRIPTIONS.get(self.code, "Internal Server Error")
        return ApiError(self.code, text)

    def meets(self, method: str, call: Parameters) -> bool:
        """True if the call is one of those that fail."""
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
    """The failures that are on order, oldest first."""

    def __init__(self) -> None:
        self._ordered: list[Fault] = []
        self._numbers = itertools.count(1)

    def order(self, wish: Parameters) -> Fault:
        """Takes an order of the person side.

        Raises:
            SimError: it says neither how to fail nor how long to wait.
        """
        if unknown := set(wish) - WISHES:
            known = ", ".join(sorted(WISHES))
            raise SimError(f"A fault has no {min(unknown)!r}: it has {known}.")
        after = wish.integer("retry_after")
        code = wish.integer("code") or (429 if after is not None else None)
        times, seconds = wish.integer("times"), wish.number("seconds")
        fault = Fault(
            number=next(self._numbers),
            method=wish.text("method") or ANY,
            times=1 if times is None else times,
            code=code,
            description=wish.text("description"),
            retry_after=after,
            contains=wish.text("contains"),
            chat_id=wish.integer("chat_id"),
            until=None if seconds is None else time.monotonic() + seconds,
            hold_s=wish.number("timeout") or 0.0,
            drops=wish.boolean("drop"),
        )
        if fault.code is None and not fault.hold_s and not fault.drops:
            sentence = "A fault needs a code (400 to 599), a timeout in seconds, or drop=true."
            raise SimError(sentence)
        if fault.code is not None and not 400 <= fault.code <= 599:
            raise SimError(f"A fault's code lies between 400 and 599, {fault.code} does not.")
        if fault.times < 1:
            raise SimError("A fault happens at least once: give times=1 or more.")
        if not 0 <= fault.hold_s <= 3600:
            raise SimError("A fault's timeout lies between 0 and 3600 seconds.")
        self._ordered.append(fault)
        return fault

    def met_by(self, method: str, call: Parameters) -> Fault | None:
        """The first fault that the call meets; it is used up by one."""
        self._forget_old()
        for fault in self._ordered:
            if fault.meets(method.lower(), call):
                fault.times -= 1
                if fault.times == 0:
                    self._ordered.remove(fault)
                return fault
        return None

    def clear(self, number: int | None = None) -> None:
        """This one is off; or, without a number, everything works again."""
        self._ordered = [
            fault for fault in self._ordered if number is not None and fault.number != number
        ]

    def _forget_old(self) -> None:
        now = time.monotonic()
        self._ordered = [
            fault for fault in self._ordered if fault.until is None or fault.until > now
        ]

    def as_json(self) -> list[JsonObject]:
        """What is still on order."""
        self._forget_old()
        return [asdict(fault) for fault in self._ordered]
