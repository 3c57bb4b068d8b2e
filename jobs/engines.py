"""The description of an engine that workers advertise."""

from typing import Annotated

from pydantic import Field, StringConstraints

from jobs.model import Value

EngineName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]


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

    name: EngineName
    title: str = ""
    button: str = ""
    credits: str = ""
    preference: int = 1
    options: tuple[str, ...] = ()
    evaluates_motions: bool = True
    max_faces: int = Field(default=1, ge=1)
