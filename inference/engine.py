"""The interface of engines; `engines/<name>.py` contains the engine of that name.

An engine turns one photo and a movement into frames. It has nothing to do with files, queues or
chats; the pipeline reads, pastes back and encodes. The file is the registration: its class says how
the engine is offered, and nothing else names it. Heavy libraries are imported inside functions, so
that the engine can be listed where they are not installed.
"""

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from inference import engines
from inference.arrays import Picture
from inference.engine_names import engine_names
from inference.engine_options import EngineOptions
from jobs.engines import EngineInfo
from jobs.errors import EngineUnavailable, UnknownEngine
from jobs.model import CropBox, Face

if TYPE_CHECKING:
    from inference.mesh.track import Track
    from inference.voice.speech import Speech
    from inference.weights.store import WeightsStore
    from jobs.templates import CurveMotion


Motion: TypeAlias = "CurveMotion | Track | Speech"
"""A movement that is evaluated, without a clip that shows it."""


@dataclass(frozen=True)
class EngineCrop:
    """The part of the photo that an engine's frames cover.

    Attributes:
        box: in photo px; it may reach outside the photo.
        feather_px: width of the blended seam when the part is pasted back, in photo px; 0 for none.
        frame_size: width and height of the engine's frames, px; None for the size of the box.
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
        frames: uint8 (h, w, 3) RGB, in order, read on demand.
        face: the face in the first one; arbitrary if the engine does not need it.
        later_faces: its boxes in a few later frames.
        frame_rate: frames per second, exact.
        identity: a hash of the frames, for clips that are used repeatedly: the engine's cache key.
        reopen: opens a part of the frames again, from the first one; its sides are even. None if
            they can be read only once.
        frame_count: the number of frames; None if it is not known.
        track_file: where what an engine measures of this face in this clip may be kept; it is read
            if it is there, and may be anything. None: it is not kept.
    """

    frames: Iterator[Picture]
    face: Face
    later_faces: tuple[CropBox, ...] = ()
    frame_rate: Fraction = Fraction(25)
    identity: str | None = None
    reopen: Callable[[CropBox], AbstractContextManager[Iterator[Picture]]] | None = None
    frame_count: int | None = None
    track_file: Path | None = None


class Engine(ABC):
    """One way to animate a face; an instance is used for one order.

    What takes long to load is cached by the engine's module between orders.

    Args:
        chosen: the options.
        weights: the store of weights; None for engines without weights.

    Attributes:
        name: the name of its file.
        title: one line about what it is good at.
        button: a word or two for its button in the chat; if empty, its name.
        credits: authors and licence.
        preference: `auto` chooses the engine with the highest number whose needs are met and whose
            files are there. An engine with 0 is not offered, and used only by name (for tests).
        label: the sentence under a result that says how it was made.
        digital_source_type: the IPTC term for how a result was made.
        options: the fields of `EngineOptions` that it supports.
        evaluates_motions: whether it takes a `Motion`; otherwise it needs a driving clip.
        max_faces: how many faces of a photo it can move at the same time.
        still_faces: the photo's other faces, which stay as they are; set before `crop_for`.
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
    max_faces: ClassVar[int] = 1

    def __init__(
        self, chosen: EngineOptions | None = None, weights: "WeightsStore | None" = None
    ) -> None:
        self.chosen = chosen or EngineOptions()
        self.weights = weights
        self.still_faces: tuple[Face, ...] = ()

    @classmethod
    def preference_on(cls, device: str) -> int:  # noqa: ARG003 - for engines that need a GPU
        """Return the preference where networks compute on a device, as in `EngineOptions`.

        Raises:
            DeviceUnavailable: it does not exist, and makes a difference.
        """
        return cls.preference

    @classmethod
    def info(cls) -> EngineInfo:
        """Return what workers advertise about the engine."""
        return EngineInfo(
            name=cls.name,
            title=cls.title,
            button=cls.button,
            credits=cls.credits,
            preference=cls.preference,
            options=tuple(sorted(cls.options)),
            evaluates_motions=cls.evaluates_motions,
            max_faces=cls.max_faces,
        )

    @classmethod
    @abstractmethod
    def unmet_needs(cls) -> tuple[str, ...]:
        """Return what the engine lacks to run, each with what to type."""

    @classmethod
    def missing_files(
        cls,
        chosen: EngineOptions,  # noqa: ARG003 - for engines with files
        weights: "WeightsStore | None",  # noqa: ARG003 - likewise
    ) -> tuple[str, ...]:
        """Return the files that it would download first, each with what to type."""
        return ()

    def load(self) -> None:  # noqa: B027 - an engine without files has nothing to load
        """Load everything into memory, downloading it first if need be; later calls are fast.

        Raises:
            OperatorError: something is missing or unusable.
        """

    @property
    def needs_face(self) -> bool:
        """Whether it needs the box of the photo's face."""
        return True

    @property
    def needs_driving_face(self) -> bool:
        """Whether it needs the box of the clip's face."""
        return True

    def faces_of(
        self,
        read: Callable[[], Picture],  # noqa: ARG002 - for engines that look themselves
        found: tuple[Face, ...],
    ) -> tuple[Face, ...]:
        """Return the faces of a picture, largest first: its own detections, or the gate's.

        Args:
            read: returns the picture.
            found: the gate's detections.
        """
        return found

    @abstractmethod
    def crop_for(self, faces: Sequence[Face], photo: Picture) -> EngineCrop:
        """Return the part of the photo that the frames for these faces will cover."""

    @abstractmethod
    def prepare(self, photo: Picture, faces: Sequence[Face]) -> None:
        """Compute what does not depend on the movement.

        Args:
            photo: uint8 (H, W, 3) RGB.
            faces: those that will move, at least one and at most `max_faces`.
        """

    @abstractmethod
    def animate(
        self, driving: Driving | None, motion: "Motion | None"
    ) -> Iterator[Sequence[Picture]]:
        """Yield batches of frames, each uint8 (h, w, 3) RGB in the frame size of `crop_for`.

        A batch may be empty, so that the caller can cancel in the meantime. Exactly one of
        `driving` and `motion` is given; `motion` only if the engine evaluates motions.

        Raises:
            NoSuchFrame: the requested best frame is beyond the clip's end.
        """


def find_engine(name: str) -> type[Engine]:
    """Return the engine of that name.

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
    """Return the engine of that name; `auto` is the best one that needs no download.

    Args:
        name: its name, or `auto`.
        chosen: the options that will be used.
        weights: the store of weights.

    Raises:
        UnknownEngine: there is no such engine.
        EngineUnavailable: it lacks something; the sentence says what.
    """
    if name == "auto":
        return _best_engine(_offered(), chosen or EngineOptions(), weights)
    found = find_engine(name)
    needs = found.unmet_needs()
    if needs:
        raise EngineUnavailable(name=found.name, needs="; ".join(needs))
    return found


def motion_engine() -> type[Engine]:
    """Return the best engine without weights that evaluates curves and tracks.

    Raises:
        EngineUnavailable: there is none.
    """
    able = [engine for engine in _offered() if engine.evaluates_motions]
    return _best_engine(able, EngineOptions(), None)


def _offered() -> list[type[Engine]]:
    return [engine for engine in map(find_engine, engine_names()) if engine.preference]


def _best_engine(
    candidates: list[type[Engine]], chosen: EngineOptions, weights: "WeightsStore | None"
) -> type[Engine]:
    ready = [
        engine
        for engine in candidates
        if not engine.unmet_needs() and not engine.missing_files(chosen, weights)
    ]
    if not ready:
        raise EngineUnavailable(name="auto", needs="an engine that can run on this machine")
    return min(ready, key=lambda engine: (-engine.preference_on(chosen.device), engine.name))
