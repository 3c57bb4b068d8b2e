"""/limits: see and change how much people may order, and raise it for some of them."""

import re

from bot.limits import ChangedLimits, LimitValues
from bot.people import Person
from bot.services import Services
from bot.texts import Texts

_RESET = "reset"
_MOST_LISTED = 50
# Of each limit: the field of `ChangedLimits`, and the largest value; the smallest is 1.
_LIMITS: dict[str, tuple[str, int]] = {
    "open": ("open_orders", 10_000),
    "day": ("per_day", 100_000),
    "clip": ("clip_s", 600),
    "group": ("group_per_day", 100_000),
    "queue": ("queue", 100_000),
}
_OF_PERSONS = {"open": "open_orders", "day": "orders_per_day"}


class LimitCommands:
    """Answers /limits. Its methods raise QueueUnavailable if Redis does not answer.

    Args:
        clip_s: the most seconds of a clip that the settings allow.
    """

    def __init__(self, services: Services, clip_s: float) -> None:
        self._services = services
        self._most = {name: most for name, (_, most) in _LIMITS.items()}
        self._most["clip"] = int(clip_s)

    async def answer(self, words: list[str]) -> str:
        """Do what an admin wrote after /limits, and return the answer."""
        match words:
            case []:
                return await self._overview()
            case ["reset"]:
                await self._services.limits.reset()
                return await self._overview()
            case [name, value] if name in _LIMITS:
                return await self._change(name, value)
            case [person, *rest] if re.fullmatch(r"[1-9]\d{0,18}", person):
                return await self._of_person(int(person), rest)
        return how_to_text(self._services.texts)

    async def _change(self, name: str, value: str) -> str:
        number = self._number(name, value)
        if number is None and value != _RESET:
            return self._wrong(name)
        await self._services.limits.change(**{_LIMITS[name][0]: number})
        return await self._overview()

    async def _of_person(self, person_id: int, words: list[str]) -> str:
        _, people = self._services.texts, self._services.people
        match words:
            case []:
                pass
            case ["reset"]:
                await people.change(person_id, **dict.fromkeys(_OF_PERSONS.values()))
            case [name, value] if name in _OF_PERSONS:
                number = self._number(name, value)
                if number is None and value != _RESET:
                    return self._wrong(name)
                await people.change(person_id, **{_OF_PERSONS[name]: number})
            case _wrong:
                return how_to_text(_)
        known = await people.person(person_id)
        return _person_line(person_id, known, await self._services.limits.now(), _)

    def _number(self, name: str, value: str) -> int | None:
        """Parse a value; None if it is not allowed."""
        is_number = re.fullmatch(r"\d{1,9}", value) is not None
        return int(value) if is_number and 1 <= int(value) <= self._most[name] else None

    def _wrong(self, name: str) -> str:
        return self._services.texts(
            "{name} takes a whole number from 1 to {most}, or reset.",
            name=name,
            most=self._most[name],
        )

    async def _overview(self) -> str:
        _, limits = self._services.texts, self._services.limits
        changed, now = await limits.changed(), await limits.now()
        lines = [_("Limits:"), *_lines(now, changed, _)]
        people = await self._services.people.with_own_limits()
        if people:
            lines += ["", _("People with limits of their own:")]
            shown = list(people.items())[:_MOST_LISTED]
            lines += [_person_line(person, known, now, _) for person, known in shown]
        if len(people) > _MOST_LISTED:
            lines.append(_("and {count} more", count=len(people) - _MOST_LISTED))
        return "\n".join((*lines, "", how_to_text(_)))


def _lines(now: LimitValues, changed: ChangedLimits, _: Texts) -> list[str]:
    group = _("no limit") if now.group_per_day is None else now.group_per_day
    shown = {
        "open": _("open = {count}: unfinished orders of a person", count=now.open_orders),
        "day": _("day = {count}: orders of a person in 24 hours", count=now.per_day),
        "clip": _("clip = {seconds:g} s: how much of a clip is used", seconds=now.clip_s),
        "group": _("group = {count}: orders from a group in 24 hours", count=group),
        "queue": _("queue = {count}: unfinished orders of everybody", count=now.queue),
    }
    return [
        _("{line} (changed)", line=line) if getattr(changed, _LIMITS[name][0]) else line
        for name, line in shown.items()
    ]


def _person_line(person_id: int, known: Person, now: LimitValues, _: Texts) -> str:
    own = now.of_person(known)
    return _(
        "{person}: open {open}, day {day}", person=person_id, open=own.open_orders, day=own.per_day
    )


def how_to_text(_: Texts) -> str:
    """Explain what can be written after /limits."""
    return _(
        "/limits day 50 changes a limit. /limits day reset goes back to the setting, /limits reset "
        "does so with all of them.\n"
        "/limits 4242 day 200 is for one person, by Telegram id; open and reset work too."
    )
