"""The one line that everybody agrees to before the first video; a photo that came before waits."""

from bot.callback_data import ButtonAction, ButtonData
from bot.gateway.messenger import Button, MessageContent
from bot.texts import Texts


def consent_content(draft: str, retain_h: float, _: Texts) -> MessageContent:
    """What a person agrees to.

    Args:
        draft: one of those that wait for it; only its person may tap.
        retain_h: photos and clips are kept so long after the last tap, h.
    """
    text = _(
        "Before we begin: send only pictures that you may use, of people who agree. Every video is "
        "labelled as made with AI. Photos and clips are deleted {hours:g} h after your last tap. "
        "More: /privacy",
        hours=retain_h,
    )
    return MessageContent(
        text, ((Button(_("👍 I agree"), ButtonData(ButtonAction.CONSENT, draft)),),)
    )


def agreed_content(_: Texts) -> MessageContent:
    """What the same message says afterwards, if no photo waited for it."""
    return MessageContent(_("Thank you. Now send me a photo with a face."))
