"""The variations that people may choose for an order, and what they change.

Before an order, a variation changes the draft's choices; under a result, it orders the same again
with that change.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from bot.drafts.choices import RELATIVE, STRENGTH, Choices, View, views_of
from bot.drafts.draft import Draft
from bot.gateway.messenger import even_width
from bot.orders.offers import Offer
from bot.texts import Texts
from jobs.wish import LEAST_STRENGTH, MOST_STRENGTH, Movement

LESS, MORE = "less", "more"
ENGINE = "engine "
_VIEW, _START = "view ", "start "
_MUTED, _WITH_SOUND = "sound off", "sound on"
_ABSOLUTE, _RELATIVE = "motion absolute", "motion relative"

_STRENGTH_FACTORS = {MORE: 1.25, LESS: 1 / 1.25}
# A smaller step would not be visible.
_LEAST_STEP = 0.05
_START_STEP_S = 5
_MOST_STARTS, _MOST_STARTS_IN_A_ROW = 8, 4
# The least that is worth using of a clip, s.
_LEAST_PART_S = 1.0


@dataclass(frozen=True)
class Variation:
    """A variation that a button offers.

    Attributes:
        argument: of the button.
        label: of the button.
        is_chosen: whether this is the current choice.
    """

    argument: str
    label: str
    is_chosen: bool = False

    @property
    def text(self) -> str:
        """The button's text."""
        return f"✓ {self.label}" if self.is_chosen else self.label


def varied(choices: Choices, argument: str) -> Choices | None:
    """Return the choices after a variation; None if there is no such variation."""
    change: dict[str, object] | None = None
    if argument in _STRENGTH_FACTORS:
        change = {"strength": _stepped(choices.strength, argument) or choices.strength}
    elif argument in (_MUTED, _WITH_SOUND):
        change = {"is_muted": argument == _MUTED}
    elif argument in (_ABSOLUTE, _RELATIVE):
        change = {"is_absolute": argument == _ABSOLUTE}
    elif (view := argument.removeprefix(_VIEW)) in set(View):
        change = {"view": View(view)}
    elif (start := argument.removeprefix(_START)).isdecimal():
        change = {"clip_start_s": float(start)}
    return None if change is None else choices.model_copy(update=change)


def is_new_look(argument: str) -> bool:
    """Whether the clip must be looked at again for a variation."""
    return argument.startswith(_START)


def variations(
    draft: Draft, movement: Movement | None, offer: Offer, _: Texts
) -> Iterator[tuple[Variation, ...]]:
    """Yield the rows of variations of a draft, or of an order from it.

    Args:
        draft: with the choices as they are now.
        movement: the one that was ordered; None: none was ordered yet.
        offer: what workers can do.
        _: the texts.
    """
    engine = offer.engine_or_default(draft.engine, len(draft.face_boxes))
    understood = offer.options(engine) if engine else frozenset()
    if movement is not None and movement.templates:
        return
    if STRENGTH in understood:
        yield strength_steps(draft.choices, _)
    if offer.takes_parts:
        yield _views(draft, _)
    if movement is None:
        clip = draft.findings.clip if draft.findings else None
    else:
        clip = movement.clip if movement.template is None else None
    if clip is None:
        return  # no clip of the person's
    if clip.has_sound:
        yield _sound(draft.choices, _)
    if RELATIVE in understood:
        yield _positions(draft.choices, _)
    if offer.takes_parts:
        starts = _starts(draft, _)
        width = even_width(len(starts), _MOST_STARTS_IN_A_ROW)
        yield from (starts[first : first + width] for first in range(0, len(starts), width))


def strength_steps(choices: Choices, _: Texts) -> tuple[Variation, ...]:
    """Return the steps to a weaker and a stronger movement, as far as there are any."""
    labels = {LESS: _("🔽 Less movement"), MORE: _("🔼 More movement")}
    return tuple(
        Variation(step, label)
        for step, label in labels.items()
        if _stepped(choices.strength, step) is not None
    )


def _stepped(strength: float, step: str) -> float | None:
    """Return the strength one step further; None at the bound."""
    wanted = round(strength * _STRENGTH_FACTORS[step], 2)
    found = min(max(wanted, LEAST_STRENGTH), MOST_STRENGTH)
    return found if abs(found - strength) >= _LEAST_STEP else None


def _views(draft: Draft, _: Texts) -> tuple[Variation, ...]:
    if draft.findings is None:
        return ()
    labels = {
        View.WHOLE: _("🖼 Whole picture"),
        View.PORTRAIT: _("👤 Portrait"),
        View.FACE: _("🔍 Face"),
    }
    photo = draft.findings.photo
    views = views_of(draft.face_boxes, photo.width, photo.height)
    if len(views) == 1:
        return ()
    chosen = draft.choices.view
    return tuple(Variation(f"{_VIEW}{view}", labels[view], view is chosen) for view in views)


def _sound(choices: Choices, _: Texts) -> tuple[Variation, ...]:
    return (
        Variation(_WITH_SOUND, _("🔊 Sound"), not choices.is_muted),
        Variation(_MUTED, _("🔇 No sound"), choices.is_muted),
    )


def _positions(choices: Choices, _: Texts) -> tuple[Variation, ...]:
    return (
        Variation(_RELATIVE, _("↔️ Only the movement"), not choices.is_absolute),
        Variation(_ABSOLUTE, _("🎯 The clip's pose too"), choices.is_absolute),
    )


def _starts(draft: Draft, _: Texts) -> tuple[Variation, ...]:
    """The parts of a clip that is longer than what is used."""
    length_s = draft.lead.duration_s if draft.lead and not draft.lead.is_voice else None
    if not length_s:
        return ()
    chosen = draft.choices.clip_start_s
    used_s = draft.findings.clip.duration_s if draft.findings and draft.findings.clip else 0.0
    if not chosen and length_s < used_s + _LEAST_PART_S:
        return ()
    starts = range(0, int(length_s - _LEAST_PART_S) + 1, _START_STEP_S)[:_MOST_STARTS]
    return tuple(
        Variation(f"{_START}{start}", _("From {seconds} s", seconds=start), start == chosen)
        for start in starts
    )
