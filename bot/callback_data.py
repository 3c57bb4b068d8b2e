"""What a button carries: which wish, of which draft, on which of its keyboards.

    v1|t|k3f9a2b1cd|3|smile      at most 64 bytes

The number is the draft's when the keyboard was shown: the same tap is the same order however often
it arrives, and a tap on a newer keyboard is a new wish.
"""

from dataclasses import dataclass
from enum import StrEnum

VERSION = "v1"
MOST_BYTES = 64
_SEPARATOR = "|"


class ButtonAction(StrEnum):
    """What a button does."""

    CONSENT = "y"  # the person agrees to the terms
    PROFILE_PHOTO = "o"  # animate the person's own profile picture
    FACE = "f"  # the face of that number
    CELL = "g"  # the cell of the grid of a photo without a face; 0: the whole picture
    PAGE = "p"  # that page of movements
    TEMPLATE = "t"  # that movement
    ONE_OF_ALL = "s"  # that movement of an animation that shows several
    OWN_CLIP = "c"  # a clip of one's own
    SHOW_ALL = "a"  # all movements in one animation
    ENGINE = "e"  # that engine for this draft
    CONTINUE = "n"  # go on in spite of warnings
    ALBUM = "l"  # of an album: the photo of that number, or `each`
    DROP = "x"  # forget the draft
    CANCEL = "k"  # cancel the order
    AGAIN = "m"  # another movement for the same photo
    BEST_FRAME = "b"  # again, from another best frame of the clip
    AS_FILE = "d"  # the video as an untouched file
    DELETE = "z"  # delete the result, photo and clip
    RETRY = "r"  # try a failed order again
    OWNER = "w"  # admin's buttons; the argument says which


@dataclass(frozen=True)
class ButtonData:
    """A button's content.

    Attributes:
        action: what it does.
        draft: which draft; empty if it belongs to none.
        number: of the draft when the keyboard was shown; 0 if that does not matter.
        argument: such as a template's name; may hold anything but `|`.
    """

    action: ButtonAction
    draft: str = ""
    number: int = 0
    argument: str = ""

    def encoded(self) -> str:
        """The text for `callback_data`.

        Raises:
            ValueError: it is longer than Telegram takes, or its argument holds a `|`.
        """
        if _SEPARATOR in self.argument:
            message = f"a button cannot carry {self.argument!r}"
            raise ValueError(message)
        parts = (VERSION, self.action, self.draft, str(self.number), self.argument)
        text = _SEPARATOR.join(parts)
        if len(text.encode()) > MOST_BYTES:
            message = f"{text!r} is longer than {MOST_BYTES} bytes"
            raise ValueError(message)
        return text

    @classmethod
    def decoded(cls, text: str) -> "ButtonData | None":
        """The tap that `encoded` wrote; None for another version's or anything else."""
        parts = text.split(_SEPARATOR)
        if len(parts) != 5 or parts[0] != VERSION or not parts[3].isdecimal():
            return None
        if parts[1] not in set(ButtonAction):
            return None
        return cls(ButtonAction(parts[1]), parts[2], int(parts[3]), parts[4])
