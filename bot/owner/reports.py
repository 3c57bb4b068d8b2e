"""Reports of results in groups: what is stored of them, and what their messages say."""

import datetime as dt
from enum import StrEnum

from pydantic import ValidationError
from redis.asyncio import Redis

from bot.callback_data import ButtonAction, ButtonData, short_id
from bot.gateway.messenger import Button, MessageContent
from bot.history.store import KEPT_S
from bot.record_store import BotRecord, RecordStore
from bot.texts import Texts, msgid
from jobs.connection import queue_errors
from jobs.model import Value
from jobs.queues.keys import asked_report_key, report_key, reported_key

_QUESTION_KEPT_S = 3600
_SEPARATOR = ":"
SHOWN_CHARACTERS = 8
"""How much of a photo's hash is shown."""


class Reason(StrEnum):
    """Why somebody reports a result."""

    ME = "me"
    OFFENSIVE = "bad"
    OTHER = "other"


class ReportAction(StrEnum):
    """What the owner does about a report."""

    BLOCK = "block"
    UNBLOCK = "allow"
    BAN = "ban"
    DISMISS = "dismiss"


NOT_REPORTED = "no"
_REASONS = {
    Reason.ME: msgid("It shows me without my consent"),
    Reason.OFFENSIVE: msgid("It is offensive or illegal"),
    Reason.OTHER: msgid("Something else"),
}
_ACTIONS = {
    ReportAction.BLOCK: msgid("🚫 Block this photo"),
    ReportAction.UNBLOCK: msgid("↩️ Unblock this photo"),
    ReportAction.BAN: msgid("⛔ Ban the person"),
    ReportAction.DISMISS: msgid("✓ Dismiss"),
}
_DONE = {
    ReportAction.BLOCK: msgid("The photo is blocked, and the video is deleted."),
    ReportAction.UNBLOCK: msgid("The photo may be used again."),
    ReportAction.BAN: msgid("The person is banned."),
    ReportAction.DISMISS: msgid("Dismissed."),
}
_OPPOSITES = {
    ReportAction.BLOCK: ReportAction.UNBLOCK,
    ReportAction.UNBLOCK: ReportAction.BLOCK,
}
_NO_PHOTO = msgid("The video is deleted. The photo was not stored any more, so it is not blocked.")


class Question(Value):
    """A question for the reason of a report.

    Attributes:
        result_id: the result's message.
        message_id: the question's message.
    """

    result_id: int
    message_id: int


class Report(BotRecord):
    """A report of a result.

    Attributes:
        report_id: short enough for a button.
        order_id: of the result.
        draft_id: its draft.
        number: the order's number within the draft.
        chat_id: the group.
        message_id: the result there.
        group: the group's title.
        reporter_id: who reports it.
        reason: why.
        person_id: whose order it was.
        photo_digest: the hash of the photo; empty if that was not stored any more.
        told: the admins who got it.
        done: what was done about it.
    """

    report_id: str
    order_id: str
    draft_id: str
    number: int
    chat_id: int
    message_id: int
    group: str
    reporter_id: int
    reason: Reason
    person_id: int
    photo_digest: str = ""
    told: tuple[int, ...] = ()
    done: tuple[ReportAction, ...] = ()


class ReportStore:
    """Reports in Redis, kept as long as results are in the history (/privacy says so).

    Its methods raise QueueUnavailable if Redis does not answer.
    """

    def __init__(self, redis: Redis, url: str) -> None:
        self._redis = redis
        self._url = url
        self._records = RecordStore(redis, url, Report.read)

    async def note_asked(self, order_id: str, person_id: int, question: Question) -> None:
        """Record that a person is asked for the reason."""
        with queue_errors(self._url):
            key = asked_report_key(order_id, person_id)
            await self._redis.set(key, question.model_dump_json(), ex=_QUESTION_KEPT_S)

    async def asked(self, order_id: str, person_id: int) -> Question | None:
        """Return what a person is asked about a result, or None."""
        with queue_errors(self._url):
            found = await self._redis.get(asked_report_key(order_id, person_id))
        try:
            return None if found is None else Question.model_validate_json(found)
        except ValidationError:
            return None  # of an earlier version, which did not keep the question's message

    async def end_question(self, order_id: str, person_id: int) -> None:
        """Record that the question is answered."""
        with queue_errors(self._url):
            await self._redis.delete(asked_report_key(order_id, person_id))

    async def has_reported(self, order_id: str, person_id: int) -> bool:
        """Whether a person has reported a result."""
        with queue_errors(self._url):
            return bool(await self._redis.sismember(reported_key(order_id), str(person_id)))

    async def note_reported(self, order_id: str, person_id: int) -> None:
        """Record that a person has reported a result."""
        with queue_errors(self._url):
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.sadd(reported_key(order_id), str(person_id))
                pipe.expire(reported_key(order_id), KEPT_S)
                await pipe.execute()

    async def add(self, report: Report) -> Report:
        """Store a report; return the stored one if there is one already."""
        key = report_key(report.report_id)
        with queue_errors(self._url):
            await self._redis.set(key, report.to_json(), nx=True, ex=KEPT_S)
        return await self.read(report.report_id) or report

    async def read(self, report_id: str) -> Report | None:
        """Return a report, or None if it is not stored."""
        return await self._records.read(report_key(report_id))

    async def note_told(self, report_id: str, admin: int) -> None:
        """Record that an admin got a report."""

        def told(report: Report) -> Report:
            return report.model_copy(update={"told": (*report.told, admin)})

        await self._records.change(report_key(report_id), told)

    async def note_done(self, report_id: str, action: ReportAction) -> Report | None:
        """Record what was done about a report, and return it; None if it is not stored."""

        def acted(report: Report) -> Report:
            undone = _OPPOSITES.get(action, action)
            done = (one for one in report.done if one not in (action, undone))
            return report.model_copy(update={"done": (*done, action)})

        return await self._records.change(report_key(report_id), acted)


def report_id_of(order_id: str, reporter_id: int) -> str:
    """Return a report's id."""
    return short_id(f"{order_id}:{reporter_id}")


def question_content(draft_id: str, number: int, person_id: int, _: Texts) -> MessageContent:
    """Ask for the reason of a report; only `person_id` may answer."""

    def row(label: str, name: str) -> tuple[Button, ...]:
        argument = f"{name}{_SEPARATOR}{person_id}"
        return (Button(label, ButtonData(ButtonAction.REPORT, draft_id, number, argument)),)

    text = _(
        "Report this video to the owner of this bot? The owner will then see it. Tap the reason. "
        "Nobody in the group is told who reported it."
    )
    rows = [row(_(label), reason) for reason, label in _REASONS.items()]
    return MessageContent(text, (*rows, row(_("✖️ Do not report"), NOT_REPORTED)))


def note_content(report: Report, _: Texts) -> MessageContent:
    """What an admin reads about a report; the video is above it."""
    lines = [
        _("⚠️ Report from {group} ({chat}): {reason}.", **_facts(report, _)),
        _(
            "Reported by {reporter}; ordered by {person}, order {order}.",
            reporter=report.reporter_id,
            person=report.person_id,
            order=report.order_id,
        ),
    ]
    if report.photo_digest:
        # As `/unban` lists it.
        lines.append(f"SHA-256: {report.photo_digest[:SHOWN_CHARACTERS]}")
    for action in report.done:
        is_unblocked = action is ReportAction.BLOCK and not report.photo_digest
        lines.append(_(_NO_PHOTO) if is_unblocked else _(_DONE[action]))
    is_blocked = ReportAction.BLOCK in report.done and report.photo_digest
    hidden = report.done if is_blocked else (*report.done, ReportAction.UNBLOCK)
    left = [action for action in ReportAction if action not in hidden]
    if ReportAction.DISMISS in report.done:
        left = []
    elif report.done:
        left.remove(ReportAction.DISMISS)
    rows = tuple((_action_button(action, report, _),) for action in left)
    return MessageContent("\n".join(lines), rows)


def why_blocked(report: Report, now_s: float) -> str:
    """Return what is kept of a report as long as its photo is blocked."""
    return f"{dt.datetime.fromtimestamp(now_s, dt.UTC):%Y-%m-%d}{_SEPARATOR}{report.reason}"


def blocked_line(digest: str, why: str, _: Texts) -> str:
    """What the list of blocked photos says about one; `why` may be of another version, or empty."""
    shown, (day, _separator, reason) = digest[:SHOWN_CHARACTERS], why.partition(_SEPARATOR)
    try:
        return f"{shown}: {_.date(dt.date.fromisoformat(day))}, {_(_REASONS[Reason(reason)])}"
    except ValueError:
        return shown


def argument_of(tap: ButtonData) -> tuple[str, str]:
    """Return the parts of a button's argument: a name, and a person's or a report's id."""
    name, _, about = tap.argument.partition(_SEPARATOR)
    return name, about


def _facts(report: Report, _: Texts) -> dict[str, object]:
    reason = _(_REASONS[report.reason])
    return {"group": report.group, "chat": report.chat_id, "reason": reason}


def _action_button(action: ReportAction, report: Report, _: Texts) -> Button:
    argument = f"{action}{_SEPARATOR}{report.report_id}"
    return Button(_(_ACTIONS[action]), ButtonData(ButtonAction.REPORT, argument=argument))
