"""What an engine is, and how it is found: `engines/<name>.py` holds the engine of that name.

An engine turns one photo and a movement into frames. It knows nothing of files, queues or chats;
the pipeline reads, pastes back and encodes. Engines are imported only when they are asked for, so
that one engine's libraries are not needed by another.
"""

import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from inference import engines
from jobs.errors import EngineUnavailable, UnknownEngine
from jobs.model import CropBox, Face

if TYPE_CHECKING:
    # For the contract's types only: an engine that needs no tracks does not load what makes them.
    from inference.flow.track import Track
    from jobs.templates import CurveMotion

Picture = npt.NDArray[np.uint8]
"""RGB, (H, W, 3)."""

PREFERENCE = ("flow",)
"""Which engine `auto` takes: the first one whose needs are met."""


@dataclass(frozen=True)
class EngineCrop:
    """The part of the photo that an engine's frames cover.

    Attributes:
        box: in photo px; it may reach outside the photo.
        feather_px: how wide the seam is blended when the part is pasted back; 0 where there is no
            seam.
    """

    box: CropBox
    feather_px: float = 0.0


@dataclass(frozen=True)
class Driving:
    """A driving clip for an engine.

    Attributes:
        frames: uint8 (h, w, 3) RGB, in order, read as they are asked for.
        face: the face in the first one.
    """

    frames: Iterator[Picture]
    face: Face


class Engine(ABC):
    """One way to animate a face. Made once, prepared for a photo, then asked for frames.

    Attributes:
        name: its file's name.
        title: what people read when they choose.
        label: the truthful wording under a result.
        digital_source_type: the IPTC term for how a result was made.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    label: ClassVar[str]
    digital_source_type: ClassVar[str]

    @classmethod
    @abstractmethod
    def unmet_needs(cls) -> tuple[str, ...]:
        """What is missing before the engine can run, each with what to type; empty if nothing."""

    @abstractmethod
    def crop_for(self, face: Face, photo: Picture) -> EngineCrop:
        """The part of the photo that the frames for this face will cover."""

    @abstractmethod
    def prepare(self, photo: Picture, face: Face) -> None:
        """Computes once what does not depend on the movement."""

    @abstractmethod
    def animate(
        self, driving: Driving | None, motion: "CurveMotion | Track | None"
    ) -> Iterator[Sequence[Picture]]:
        """The frames, in batches, each uint8 (h, w, 3) RGB and as large as `crop_for`'s box.

        Exactly one of `driving` and `motion` is given; `motion` only if the engine evaluates
        motions.
        """


def engine_names() -> tuple[str, ...]:
    """All engines, by file name, in alphabetical order."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(engines.__path__)))


def find_engine(name: str) -> type[Engine]:
    """The engine of that name; `auto` is the best one whose needs are met.

    Raises:
        UnknownEngine: there is no such file.
    """
    if name == "auto":
        return next(found for found in map(find_engine, PREFERENCE) if not found.unmet_needs())
    if name not in engine_names():
        raise UnknownEngine(name=name, known=", ".join(("auto", *engine_names())))
    found: type[Engine] = importlib.import_module(f"{engines.__name__}.{name}").ENGINE
    return found


def ready_engine(name: str) -> type[Engine]:
    """The engine of that name, ready to run.

    Raises:
        UnknownEngine: there is no such engine.
        EngineUnavailable: it lacks something; the sentence says what.
    """
    found = find_engine(name)
    needs = found.unmet_needs()
    if needs:
        raise EngineUnavailable(name=found.name, needs="; ".join(needs))
    return found
