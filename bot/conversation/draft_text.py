"""What a draft's card says, and its buttons.

consent -> looking -> problem | grid (no face) | numbered faces (several) | movements
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.callback_data import ButtonAction, ButtonData
from bot.drafts.draft import Draft
from bot.error_text import error_text
from bot.gateway.messenger import Button, Keyboard, MessageContent, even_width, in_rows
from bot.orders.card_text import title_of
from bot.texts import Texts
from jobs.errors import AnimatoError, UserError
from jobs.findings import VOICE_MAX_S
from jobs.model import MediaWarning
from jobs.service_errors import TooManyPhotos
from jobs.show_all import MAX_TILES
from jobs.templates import StoredTemplate, Template

_COLUMNS = 3  # as in the animation of a page
_COLUMNS_OF_LONG_LABELS, _LONG_LABEL = 2, 14
_NUMBERS_IN_A_ROW = 3  # as in the pictures
_FACES_IN_A_ROW = 4
MOST_FACES = 12
_LABEL_CHARACTERS = 30
ALL_FACES = "all"  # an argument of FACE
# Arguments of OWN_LEAD; without one, it asks for a clip.
FOLLOW = "go"  # follow the clip, or say the recording
ASK_FOR_VOICE = "voice"
WAITING_LEAD = "use"
WITHOUT_LEAD = "alone"  # an argument of CONTINUE


@dataclass(frozen=True)
class Choice:
    """What can be chosen now.

    Attributes:
        templates: the movements.
        engines: those that live workers offer and people may choose.
        shows_all: whether several movements can be shown in one animation.
        takes_voices: whether the face can say a recording.
        is_paused: whether no orders are taken from this person now.
    """

    templates: Sequence[Template]
    engines: tuple[str, ...] = ()
    shows_all: bool = False
    takes_voices: bool = True
    is_paused: bool = False


def consent_content(draft_id: str, retain_h: float, _: Texts) -> MessageContent:
    """Ask for consent to the terms.

    Args:
        draft_id: one that waits for it; only its person may tap.
        retain_h: how long photos, clips and recordings are kept after the last tap, h.
    """
    text = _(
        "Before we begin: send only pictures and recordings that you may use, of people who agree. "
        "Every video is labelled as made with AI. Photos, clips and recordings are deleted "
        "{hours:g} h after your last tap. More: /privacy",
        hours=retain_h,
    )
    return MessageContent(
        text, ((Button(_("👍 I agree"), ButtonData(ButtonAction.CONSENT, draft_id)),),)
    )


def thanks_content(_: Texts) -> MessageContent:
    """Thank the person for agreeing, and ask for a photo: none is waiting."""
    return MessageContent(_("Thank you. Now send me a photo with a face."))


def paused_text(_: Texts) -> str:
    """Say that no orders are taken now; shown before one is refused."""
    return _("⏸ The owner has paused new videos. You can choose a movement now and order it later.")


def looking_content(
    draft: Draft, _: Texts, *, is_attended: bool = True, is_paused: bool = False
) -> MessageContent:
    """The files are being looked at.

    Args:
        draft: the draft.
        is_attended: whether a worker is online.
        is_paused: whether no orders are taken from this person now.
    """
    if not is_attended:
        text = _(
            "No worker is online right now. Your photo is kept; I continue as soon as one is back."
        )
    elif draft.has_voice:
        text = _("Looking at your photo and listening to your recording ...")
    elif draft.lead:
        text = _("Looking at your photo and your clip ...")
    else:
        text = _("Looking at your photo ...")
    if is_paused:
        text = f"{text}\n{paused_text(_)}"
    return MessageContent(text, (_drop_row(draft, _),))


def problem_content(draft: Draft, error: AnimatoError, _: Texts) -> MessageContent:
    """Why the photo, the clip or the recording cannot be used, and what to do next."""
    lead = draft.lead if draft.problem is not None and draft.problem.is_lead else None
    can_retry = isinstance(error, TooManyPhotos) or not isinstance(error, UserError)
    is_over = not can_retry and lead is None
    rows = [(_tap(draft, _("OK"), ButtonAction.DROP),) if is_over else _drop_row(draft, _)]
    if lead is not None:
        another = _tap(draft, _("🎬 Another clip"), ButtonAction.OWN_LEAD)
        without = _("Without the clip")
        if lead.is_voice:
            another = _tap(draft, _("🎤 Another recording"), ButtonAction.OWN_LEAD, ASK_FOR_VOICE)
            without = _("Without it")
        rows.insert(0, (another, _tap(draft, without, ButtonAction.CONTINUE, WITHOUT_LEAD)))
    if can_retry:
        rows.insert(0, (_tap(draft, _("↻ Try again"), ButtonAction.CONTINUE),))
    text = error_text(error, _, lead)
    return MessageContent(text, tuple(rows))


def grid_content(draft: Draft, _: Texts) -> MessageContent:
    """No face was found: ask where it is."""
    cells = [_tap(draft, str(cell), ButtonAction.CELL, str(cell)) for cell in range(1, 10)]
    whole = _tap(draft, _("🖼 Whole picture"), ButtonAction.CELL, "0")
    text = _(
        "I found no face here; I look for faces seen from the front. Tap the square where the face "
        "is, use the whole picture, or send another photo with a larger face."
    )
    rows = (*in_rows(cells, _NUMBERS_IN_A_ROW), (whole,), _drop_row(draft, _))
    return MessageContent(_after_warnings(draft, text, _), rows)


def faces_content(draft: Draft, _: Texts, max_faces: int = 1) -> MessageContent:
    """Several faces: ask which one to animate.

    Args:
        draft: the draft.
        max_faces: how many faces one video can move; if several, there is a button for all.
    """
    faces = draft.faces[:MOST_FACES]
    buttons = [_tap(draft, str(face.number), ButtonAction.FACE, str(face.number)) for face in faces]
    text = _.plural(
        "I found {count} face. Should I animate it?",
        "I found {count} faces. Which one should I animate?",
        len(draft.faces),
    )
    rows = in_rows(buttons, even_width(len(buttons), _FACES_IN_A_ROW))
    if max_faces > 1:
        label = _("👥 All of them")
        if len(draft.faces) > max_faces:
            label = _.plural("👥 The largest", "👥 The {count} largest", max_faces)
        rows.append((_tap(draft, label, ButtonAction.FACE, ALL_FACES),))
    return MessageContent(_after_warnings(draft, text, _), (*rows, _drop_row(draft, _)))


def movement_content(draft: Draft, choice: Choice, _: Texts, page: int = 0) -> MessageContent:
    """Ask for the movement, below the warnings."""
    text = _("Which movement?")
    if draft.has_voice:
        text = _("Should the face say this, or make a movement?")
    elif draft.lead:
        text = _("Your clip, or another movement?")
    count = len(draft.face_boxes)
    if count > 1:
        cost = _.plural(
            "{count} face will move.",
            "{count} faces will move: {count} times the work of one.",
            count,
        )
        text = f"{cost}\n{text}"
    if not choice.engines:
        offline = _("No worker is online right now. Your order will wait for one.")
        text = f"{offline}\n{text}"
    if choice.is_paused:
        text = f"{paused_text(_)}\n{text}"
    return MessageContent(
        _after_warnings(draft, text, _), movement_keyboard(draft, choice, _, page)
    )


def movement_keyboard(draft: Draft, choice: Choice, _: Texts, page: int = 0) -> Keyboard:
    """The buttons for movements on pages, own files, all in one, more choices, and closing.

    The movement that was chosen before the warnings comes first, as does the draft's clip or
    recording.
    """
    first = _continue_row(draft, choice, _)
    clip_label, voice_label = _("🎬 My own clip"), _("🎤 A voice message")
    if draft.has_voice:
        first = (*first, _tap(draft, _("🎤 Say this"), ButtonAction.OWN_LEAD, FOLLOW))
        voice_label = _("🎤 Another recording")
    elif draft.lead is not None:
        first = (*first, _tap(draft, _("🎬 Follow my clip"), ButtonAction.OWN_LEAD, FOLLOW))
        clip_label = _("🎬 Another clip")
    own = [_tap(draft, clip_label, ButtonAction.OWN_LEAD)]
    if choice.takes_voices:
        own.append(_tap(draft, voice_label, ButtonAction.OWN_LEAD, ASK_FOR_VOICE))
    rows: list[tuple[Button, ...]] = [(button,) for button in first]
    rows += [*_movement_rows(draft, choice, page), tuple(own), _show_all(draft, choice, _, page)]
    more = _tap(draft, _("⋯ More"), ButtonAction.OPTION, "page")
    return (*filter(None, rows), (more, *_drop_row(draft, _)))


def ask_for_clip(clip_s: float, _: Texts, *, in_group: bool) -> str:
    """Ask for a clip, of which `clip_s` seconds are used."""
    text = _(
        "Send me the clip: a video, a video message or a GIF with one face seen from the front. I "
        "use the first {seconds:g} s.",
        seconds=clip_s,
    )
    if in_group:
        text = _(
            "Reply to this message with the clip: a video or a GIF with one face seen from the "
            "front. I use the first {seconds:g} s.",
            seconds=clip_s,
        )
    return text


def ask_for_voice(_: Texts, *, in_group: bool) -> str:
    """Ask for a recording."""
    text = _(
        "Hold the microphone and speak or sing, or send an audio file: up to {seconds:g} s. The "
        "face will say it.",
        seconds=VOICE_MAX_S,
    )
    if in_group:
        text = _(
            "Reply to this message with a voice message or an audio file of up to {seconds:g} s. "
            "The face will say it.",
            seconds=VOICE_MAX_S,
        )
    return text


def on_page(templates: Sequence[Template], page: int) -> Sequence[Template]:
    """Return the movements of a page; the nearest one that exists."""
    first = _existing(page, templates) * MAX_TILES
    return templates[first : first + MAX_TILES]


def shown_together(templates: Sequence[Template], page: int) -> Sequence[Template]:
    """Return those of a page that one animation can show; workers know only shipped ones."""
    return [one for one in on_page(templates, page) if not isinstance(one, StoredTemplate)]


def _existing(page: int, templates: Sequence[Template]) -> int:
    return min(max(page, 0), _page_count(templates) - 1)


def _page_count(templates: Sequence[Template]) -> int:
    return max(1, -(-len(templates) // MAX_TILES))


def _movement_rows(draft: Draft, choice: Choice, page: int) -> list[tuple[Button, ...]]:
    """The buttons of a page of movements, and the row that turns pages."""
    page, pages = _existing(page, choice.templates), _page_count(choice.templates)
    buttons = [_movement(draft, template) for template in on_page(choice.templates, page)]
    is_long = any(len(button.text) > _LONG_LABEL for button in buttons)
    rows = in_rows(buttons, _COLUMNS_OF_LONG_LABELS if is_long else _COLUMNS)
    if pages > 1:
        rows.append(
            (
                _tap(draft, "◀️", ButtonAction.PAGE, str((page - 1) % pages)),
                _tap(draft, f"{page + 1}/{pages}", ButtonAction.PAGE, str(page)),
                _tap(draft, "▶️", ButtonAction.PAGE, str((page + 1) % pages)),
            )
        )
    return rows


def _show_all(draft: Draft, choice: Choice, _: Texts, page: int) -> tuple[Button, ...]:
    """The button for all movements of a page in one animation."""
    together = shown_together(choice.templates, page)
    if not (choice.shows_all and together):
        return ()
    label = _("✨ Show me all")
    if _page_count(choice.templates) > 1:
        label = _("✨ Show me all {count}", count=len(together))
    number = str(_existing(page, choice.templates))
    return (_tap(draft, label, ButtonAction.SHOW_ALL, number),)


def _continue_row(draft: Draft, choice: Choice, _: Texts) -> tuple[Button, ...]:
    """The button for what the person chose before the photo was looked at."""
    wanted = draft.movement.templates if draft.movement else ()
    if wanted and choice.shows_all:
        names = [template.name for template in choice.templates]
        page = names.index(wanted[0]) // MAX_TILES if wanted[0] in names else 0
        label = _("▶️ Continue: all movements")
        return (_tap(draft, label, ButtonAction.SHOW_ALL, str(page)),)
    name = draft.movement.template if draft.movement else None
    for template in choice.templates:
        if template.name == name:
            label = _("▶️ Continue: {title}", title=label_of(template))
            return (_tap(draft, label, ButtonAction.TEMPLATE, template.name),)
    return ()


def label_of(template: Template) -> str:
    """A movement's title, shortened for a button."""
    return title_of(template)[:_LABEL_CHARACTERS]


def _movement(draft: Draft, template: Template) -> Button:
    return _tap(draft, label_of(template), ButtonAction.TEMPLATE, template.name)


def _after_warnings(draft: Draft, text: str, _: Texts) -> str:
    warnings, start_s = (
        draft.findings.warnings if draft.findings else (),
        draft.choices.clip_start_s,
    )
    lines = [f"⚠️ {_(warning.value)}" for warning in warnings]
    if start_s and MediaWarning.CLIP_SHORTENED in warnings:
        # The person has chosen another part than the beginning.
        part = _("From {seconds} s", seconds=round(start_s))
        lines[warnings.index(MediaWarning.CLIP_SHORTENED)] = f"🎬 {part}"
    return "\n".join([*lines, "", text] if lines else [text])


def _tap(draft: Draft, label: str, action: ButtonAction, argument: str = "") -> Button:
    return Button(label, ButtonData(action, draft.draft_id, draft.number, argument))


def _drop_row(draft: Draft, _: Texts) -> tuple[Button, ...]:
    # After an order, closing only removes the buttons: those of the video still need the photo.
    label = _("✖️ Cancel") if draft.number == 1 else _("✖️ Close")
    return (_tap(draft, label, ButtonAction.DROP),)
