"""The data of buttons: an action, its draft and the number of the keyboard.

    v1|t|k3f9a2b1cd|3|smile      at most 64 bytes

The number is the draft's when the keyboard was shown: a repeated tap is the same order, and a tap
on a newer keyboard is another order.
"""

import hashlib
from base64 import b32encode
from dataclasses import dataclass
from enum import StrEnum

VERSION = "v1"
ANOTHER_FACE = "face"
MOST_BYTES = 64
_SEPARATOR = "|"


class ButtonAction(StrEnum):
    """What a button does."""

    CONSENT = "y"  # the person agrees to the terms
    PROFILE_PHOTO = "o"  # animate the person's own profile picture
    FACE = "f"  # the face of that number, or `all`
    CELL = "g"  # that cell of a photo without a face; 0: the whole picture
    PAGE = "p"  # that page of movements
    TEMPLATE = "t"  # that movement
    ONE_OF_ALL = "s"  # that movement of an animation that shows several
    OWN_LEAD = "c"  # the person's own clip or recording
    SHOW_ALL = "a"  # all movements of a page in one animation
    ENGINE = "e"  # that engine for this draft
    CONTINUE = "n"  # look again, or without the clip or recording
    ALBUM = "l"  # of an album: the photo of that number, or `each`
    DROP = "x"  # delete the draft
    CANCEL = "k"  # cancel the order
    AGAIN = "m"  # another movement for the same photo; `face`: another face of it
    BEST_FRAME = "b"  # again, from another best frame of the clip
    STRENGTH = "h"  # OPTION, under results of earlier versions
    AS_FILE = "d"  # FORM as a file, under results of earlier versions
    DELETE = "z"  # delete the result, and the files that it was made from
    RETRY = "r"  # try a failed order again
    MORE = "q"  # show more choices for a draft or a result
    OPTION = "j"  # one of these choices; the argument says which
    FORM = "v"  # the result in another form
    HISTORY = "i"  # an entry of the history; the argument says what to do
    SETTINGS = "S"  # a setting of the person or the group; the argument says which
    REPORT = "u"  # report a result
    NEWS = "N"  # switch the owner's messages off, or on again
    FORGET = "D"  # delete everything about the person; the argument says whether
    OWNER = "w"  # an admin's button; the argument says which


@dataclass(frozen=True)
class ButtonData:
    """A button's data.

    Attributes:
        action: what it does.
        draft_id: the draft; empty if there is none.
        number: the draft's number when the keyboard was shown; 0 if it does not matter.
        argument: such as a template's name; may hold anything but `|`.
    """

    action: ButtonAction
    draft_id: str = ""
    number: int = 0
    argument: str = ""

    def encode(self) -> str:
        """Return the text for `callback_data`.

        Raises:
            ValueError: it is longer than Telegram allows, or the argument holds a `|`.
        """
        if _SEPARATOR in self.argument:
            message = f"a button cannot carry {self.argument!r}"
            raise ValueError(message)
        parts = (VERSION, self.action, self.draft_id, str(self.number), self.argument)
        text = _SEPARATOR.join(parts)
        if len(text.encode()) > MOST_BYTES:
            message = f"{text!r} is longer than {MOST_BYTES} bytes"
            raise ValueError(message)
        return text

    @classmethod
    def decode(cls, text: str) -> "ButtonData | None":
        """Parse what `encode` wrote; return None for other versions or other texts."""
        parts = text.split(_SEPARATOR)
        if len(parts) != 5 or parts[0] != VERSION or not parts[3].isdecimal():
            return None
        if parts[1] not in set(ButtonAction):
            return None
        return cls(ButtonAction(parts[1]), parts[2], int(parts[3]), parts[4])


def short_id(name: str) -> str:
    """Return an id made from a name, short enough for a button; always the same one."""
    digest = hashlib.blake2s(name.encode()).digest()
    return b32encode(digest)[:10].decode().lower()
