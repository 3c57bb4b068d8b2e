"""The names of engines, and the description of one that workers advertise."""

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from jobs.model import Value

FORMER_NAMES = {"flow": "mesh"}
"""Current names of renamed engines, by former name.

Settings, command lines, buttons and stored records may still use a former name, and orders may wait
in its queue.
"""


def current_name(name: str) -> str:
    """Return today's name of an engine."""
    return FORMER_NAMES.get(name, name)


AnyEngineName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
"""As it was given, perhaps by an earlier version."""

VOICE = "voice"
"""In the options of an engine as workers advertise it: orders may have a voice.

Workers of the previous version can read neither such orders nor such looks. So the bot takes voices
only if all live workers advertise this. It is no option that an order names.
"""

MEDIA_OPTION = "media-"
MEDIA_TASKS = tuple(MEDIA_OPTION + kind for kind in ("form", "sheet", "chart", "template"))
"""Likewise: the kinds of tasks (`jobs/media_tasks.py`) that it takes from the queue `media`."""
PARTS = "parts"
"""Same as `VOICE`: orders may show a part of the photo, looks may use a later part of a clip."""
MARK = "mark"
"""Same as `VOICE`: orders may ask for the visible mark."""

OWN_TEMPLATES = f"{MEDIA_OPTION}template"
"""Workers that check the owner's movements can also render them."""

EngineName = Annotated[AnyEngineName, AfterValidator(current_name)]
"""Today's name; a former one is read as today's."""


class EngineInfo(Value):
    """An engine, as its file describes it.

    Attributes:
        name: its file's name.
        title: one line on what it is good at.
        button: a word or two for its button; empty: the name alone.
        credits: whose work it is, and under which licence.
        preference: the engine with the highest number is the default. 0: it is used, and offered
            to people, only where it is named.
        options: the options that it accepts, in alphabetical order.
        evaluates_motions: whether it can animate from curves and tracks; else it needs a clip.
        max_faces: how many faces of a photo it can move in one video.
    """

    name: AnyEngineName
    title: str = ""
    button: str = ""
    credits: str = ""
    preference: int = 1
    options: tuple[str, ...] = ()
    evaluates_motions: bool = True
    max_faces: int = Field(default=1, ge=1)
