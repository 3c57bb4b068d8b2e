"""What an engine is, and how it is found: `engines/<name>.py` holds the engine of that name.

An engine turns one photo and a movement into frames. It knows nothing of files, queues or chats;
the pipeline reads, pastes back and encodes. The file is the registration: its class says how the
engine is offered, and nothing else names it. A file imports its libraries late, so that it can be
listed where they are not installed.
"""

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from inference import engines
from inference.engine_names import engine_names
from inference.engine_options import EngineOptions
from jobs.engines import EngineInfo
from jobs.errors import EngineUnavailable, UnknownEngine
from jobs.model import CropBox, Face

if TYPE_CHECKING:
    # For the contract's types only: an engine that needs no tracks does not load what makes them.
    from inference.flow.track import Track
    from inference.weights.store import WeightsStore
    from jobs.templates import CurveMotion

Picture = npt.NDArray[np.uint8]
"""RGB, (H, W, 3)."""


@dataclass(frozen=True)
class EngineCrop:
    """The part of the photo that an engine's frames cover.

    Attributes:
        box: in photo px; it may reach outside the photo.
        feather_px: how wide the seam is blended when the part is pasted back, in photo px; 0 where
            there is no seam.
        frame_size: width and height of the engine's frames, px; None where they are as large as the
            box.
    """

    box: CropBox
    feather_px: float = 0.0
    frame_size: tuple[int, int] | None = None

    @property
    def frame_width(self) -> int:
        """Width of the engine's frames, px."""
        return self.box.width if self.frame_size is None else self.frame_size[0]

    @property
    def frame_height(self) -> int:
        """Height of the engine's frames, px."""
        return self.box.height if self.frame_size is None else self.frame_size[1]


@dataclass(frozen=True)
class Driving:
    """A driving clip for an engine.

    Attributes:
        frames: uint8 (h, w, 3) RGB, in order, read as they are asked for.
        face: the face in the first one; any, if the engine needs none.
        later_faces: where it was seen in a few later frames.
        frame_rate: frames per second, exact.
        identity: a hash of what is to be seen, for clips that come again and again; what an engine
            has measured in one it may keep under it.
    """

    frames: Iterator[Picture]
    face: Face
    later_faces: tuple[CropBox, ...] = ()
    frame_rate: Fraction = Fraction(25)
    identity: str | None = None


class Engine(ABC):
    """One way to animate a face. Made for one order, prepared for its photo, asked for frames.

    What takes long to load is kept by the engine's module from one order to the next.

    Args:
        chosen: what is asked of it.
        weights: where it finds its weights; an engine without any needs none.

    Attributes:
        name: its file's name.
        title: one line on what it is good at.
        button: a word or two for its button in the chat; empty: the name alone.
        credits: whose work it is, and under which licence.
        preference: `auto` takes the engine with the highest number whose needs are met and whose
            files are there. 0: never by itself, and people are not offered it (tests, dry runs).
        label: the truthful wording under a result.
        digital_source_type: the IPTC term for how a result was made.
        options: the fields of `EngineOptions` that it understands.
        evaluates_motions: whether curves and tracks are enough; else it needs a clip that shows
            the movement.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    label: ClassVar[str]
    digital_source_type: ClassVar[str]
    button: ClassVar[str] = ""
    credits: ClassVar[str] = ""
    preference: ClassVar[int] = 1
    options: ClassVar[frozenset[str]] = frozenset()
    evaluates_motions: ClassVar[bool] = True

    def __init__(
        self, chosen: EngineOptions | None = None, weights: "WeightsStore | None" = None
    ) -> None:
        self.chosen = chosen or EngineOptions()
        self.weights = weights

    @classmethod
    def info(cls) -> EngineInfo:
        """The engine as workers advertise it."""
        return EngineInfo(
            name=cls.name,
            title=cls.title,
            button=cls.button,
            credits=cls.credits,
            preference=cls.preference,
            options=tuple(sorted(cls.options)),
            evaluates_motions=cls.evaluates_motions,
        )

    @classmethod
    @abstractmethod
    def unmet_needs(cls) -> tuple[str, ...]:
        """What is missing before the engine can run, each with what to type; empty if nothing."""

    @classmethod
    def missing_files(
        cls,
        chosen: EngineOptions,  # noqa: ARG003 - for engines with files
        weights: "WeightsStore | None",  # noqa: ARG003 - likewise
    ) -> tuple[str, ...]:
        """What would be fetched first if it ran, each with what to type; empty if nothing."""
        return ()

    def load(self) -> None:  # noqa: B027 - an engine without files has nothing to load
        """Has everything that it needs in memory, fetched first if need be; quick a second time.

        Raises:
            OperatorError: something is missing or unusable. Told before anybody's files are read.
        """

    @property
    def needs_face(self) -> bool:
        """Whether it has to know where the photo's face is."""
        return True

    @property
    def needs_driving_face(self) -> bool:
        """Whether it has to know where the clip's face is."""
        return True

    def faces_of(
        self,
        read: Callable[[], Picture],  # noqa: ARG002 - for engines that look themselves
        found: tuple[Face, ...],
    ) -> tuple[Face, ...]:
        """The faces of a picture, largest first: what it finds itself, or what the gate has found.

        Args:
            read: gives the picture, if it is wanted.
            found: by the gate.
        """
        return found

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
        """The frames, in batches, each uint8 (h, w, 3) RGB in the frame size of `crop_for`.

        A batch may be empty: there was something to do, and the caller may want to stop. Exactly
        one of `driving` and `motion` is given; `motion` only if the engine evaluates motions.

        Raises:
            NoSuchFrame: the best frame that was asked for lies behind the clip's end.
        """


def find_engine(name: str) -> type[Engine]:
    """The engine of that name.

    Raises:
        UnknownEngine: there is no such file.
    """
    if name not in engine_names():
        raise UnknownEngine(name=name, known=", ".join(("auto", *engine_names())))
    found: type[Engine] = importlib.import_module(f"{engines.__name__}.{name}").ENGINE
    return found


def ready_engine(
    name: str, chosen: EngineOptions | None = None, weights: "WeightsStore | None" = None
) -> type[Engine]:
    """The engine of that name, ready to run; `auto` is the best one that needs nothing fetched.

    Args:
        name: its name, or `auto`.
        chosen: what will be asked of it.
        weights: where weights are looked for.

    Raises:
        UnknownEngine: there is no such engine.
        EngineUnavailable: it lacks something; the sentence says what.
    """
    if name == "auto":
        return _best_engine(chosen or EngineOptions(), weights)
    found = find_engine(name)
    needs = found.unmet_needs()
    if needs:
        raise EngineUnavailable(name=found.name, needs="; ".join(needs))
    return found


def _best_engine(chosen: EngineOptions, weights: "WeightsStore | None") -> type[Engine]:
    """The ready engine with the highest preference.

    Raises:
        EngineUnavailable: none is ready.
    """
    found = [engine for engine in map(find_engine, engine_names()) if engine.preference]
    for engine in sorted(found, key=lambda one: (-one.preference, one.name)):
        if not engine.unmet_needs() and not engine.missing_files(chosen, weights):
            return engine
    raise EngineUnavailable(name="auto", needs="an engine that can run on this machine")
