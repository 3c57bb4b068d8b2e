"""The text of /stats, and the numbers of its chart."""

from bot.owner.status_text import age_text
from bot.statistics import CANCELLED, DONE, FAILED, UNUSABLE, Numbers
from bot.texts import Texts
from jobs.media_tasks import ChartDay


def statistics_text(today: Numbers, week: Numbers, _: Texts) -> str:
    """The numbers of today and of the last seven days; days are in UTC."""
    sections = (
        _section(_("Today (UTC):"), today, _),
        _section(_("Last 7 days:"), week, _),
    )
    return "\n\n".join(sections)


def chart_day(numbers: Numbers, _: Texts) -> ChartDay:
    """A day's bar: orders by the day on which they ended."""
    counts = numbers.counts
    not_made = counts[UNUSABLE] + counts[CANCELLED]
    label = _.day(numbers.days[-1])
    return ChartDay(
        label=label, parts=(counts[DONE], not_made, counts[FAILED]), people=numbers.people
    )


def _section(title: str, numbers: Numbers, _: Texts) -> str:
    counts = numbers.counts
    lines = [
        title,
        _("Orders: {orders}, people: {people}", orders=numbers.ordered, people=numbers.people),
        _("Done: {count}", count=counts[DONE]),
    ]
    if counts[FAILED]:
        lines.append(_("Failed: {count}", count=counts[FAILED]))
    if counts[UNUSABLE]:
        lines.append(_("Not possible with what was sent: {count}", count=counts[UNUSABLE]))
    if counts[CANCELLED]:
        lines.append(_("Cancelled: {count}", count=counts[CANCELLED]))
    half, most = numbers.wait_s(0.5), numbers.wait_s(0.9)
    if half is not None and most is not None:
        line = _(
            "Waiting: half began within {half}, 90 % within {most}",
            half=age_text(half, _),
            most=age_text(most, _),
        )
        lines.append(line)
    if numbers.engines:
        engines = ", ".join(f"{name} {count}" for name, count in numbers.engines.items())
        lines.append(_("Engines: {engines}", engines=engines))
    return "\n".join(lines)
