"""What a worker and its engine process hand to each other: frozen, plain, JSON on the way.

EngineSetup -> once, when the process starts
RenderJob   -> one video to make         -> Rendered
(a question) -> what this machine can do -> Offer
"""

from fractions import Fraction
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from inference.engine_options import EngineOptions
from jobs.engines import EngineInfo
from jobs.model import CropBox, Face, Value

RESULT_NAME = "result.mp4"
"""What the process calls the video in the folder of its job."""

THUMBNAIL_NAME = "thumbnail.jpg"
"""What the process calls the thumbnail in the same folder."""

LINE_LIMIT_BYTES = 1 << 18
"""The longest line of an answer."""

END_MARK = b"\x1e"
"""Begins the line after what was printed for one request."""


class EngineSetup(Value):
    """What an engine process is told when it starts; the paths are absolute by then.

    Attributes:
        templates_dir: where the catalogue of movements lies.
        checkpoints_dir: where weights are found.
        device: what networks compute on; it wins over a job's options.
        weights_mirror: the beginning of the only address that weights are fetched from; empty: the
            catalogue's.
        is_offline: whether nothing is ever fetched.
        niceness: how far the process stands back behind others on the same cores, 0 to 19. With 5 a
            look beside it takes hardly longer than alone; far more, and a busy machine starves it.
        further_engines: a folder with more engines; for tests.
    """

    templates_dir: Path
    checkpoints_dir: Path
    device: str = "auto"
    weights_mirror: str = ""
    is_offline: bool = False
    niceness: int = Field(default=5, ge=0, le=19)
    further_engines: Path | None = None

    def absolute(self) -> Self:
        """The same for a process that stands in another folder."""
        update = {
            "templates_dir": self.templates_dir.absolute(),
            "checkpoints_dir": self.checkpoints_dir.absolute(),
        }
        if self.further_engines is not None:
            update["further_engines"] = self.further_engines.absolute()
        return self.model_copy(update=update)


class ClipFile(Value):
    """A person's clip as the gate has written it.

    Attributes:
        path: the normalised clip.
        frame_count: its number of frames.
        faces: those of its beginning, largest first; None: they are looked for again.
        later_faces: where the largest one was seen later; counts only beside `faces`.
    """

    path: Path
    frame_count: int = Field(gt=0)
    faces: tuple[Face, ...] | None = None
    later_faces: tuple[CropBox, ...] = ()


class RenderJob(Value):
    """One video to make of what the gate has written.

    Attributes:
        job_id: for the log.
        engine: its name, or `auto`.
        options: what is asked of it.
        photo: the normalised photo.
        face_box: the chosen face, px of that photo; None: the largest one is looked for.
        is_box_drawn: whether the box was drawn by hand, and is taken as it is; else it is one of
            the gate's, and an engine that finds faces itself takes its own box of the same face.
        template: a movement's name, or None.
        templates: the names of several movements that are shown side by side, or none.
        clip: a person's clip, or None; one of the three.
        output: the mp4; its folder exists.
        thumbnail: where to put its first frame as a small JPEG, or None.
        is_pasted_back: whether the whole photo is shown.
        has_audio: whether the clip's sound is kept.
        loop: how often the movement is shown.
        time_limit_s: after so long the job is given up, however far it is.
    """

    job_id: str
    engine: str
    options: EngineOptions = EngineOptions()
    photo: Path
    face_box: CropBox | None = None
    is_box_drawn: bool = False
    template: str | None = None
    templates: tuple[str, ...] = ()
    clip: ClipFile | None = None
    output: Path
    thumbnail: Path | None = None
    is_pasted_back: bool = True
    has_audio: bool = True
    loop: int = Field(default=1, ge=1)
    time_limit_s: float = Field(default=3600.0, gt=0)

    @model_validator(mode="after")
    def _moves_by_one_thing(self) -> Self:
        given = [self.template is not None, bool(self.templates), self.clip is not None]
        if sum(given) != 1:
            message = "a job has a template, several templates or a clip, and only one of these"
            raise ValueError(message)
        return self


class Rendered(Value):
    """A finished video.

    Attributes:
        width: of its frames, px.
        height: likewise.
        frame_count: its number of frames.
        frame_rate: frames per second when it is played, exact.
        size_bytes: the file's size.
        has_sound: whether it carries sound.
        engine: the engine that made it; never `auto`.
        label: the truthful wording under it.
        digital_source_type: the IPTC term for how it was made.
        load_s: how long the engine needed to be ready, s.
        render_s: how long making it took, s.
        frames_per_second: how many frames were made per second of that.
    """

    width: int = Field(gt=0)
    height: int = Field(gt=0)
    frame_count: int = Field(gt=0)
    frame_rate: Fraction = Field(gt=0)
    size_bytes: int = Field(gt=0)
    has_sound: bool
    engine: str
    label: str
    digital_source_type: str
    load_s: float
    render_s: float
    frames_per_second: float = Field(gt=0, allow_inf_nan=False)

    @property
    def duration_s(self) -> float:
        """How long it plays, s."""
        return float(self.frame_count / self.frame_rate)


class OfferedEngine(EngineInfo):
    """An engine that can run here.

    Attributes:
        missing_files: what it would fetch first, each with what to type; empty if nothing.
    """

    missing_files: tuple[str, ...] = ()

    def orderable(self, options: tuple[str, ...]) -> EngineInfo:
        """The engine as it is advertised, with the options that an order may use."""
        return EngineInfo(**self.model_dump(exclude={"missing_files"}) | {"options": options})


class EngineOffer(Value):
    """What a machine can do.

    Attributes:
        device: what networks compute on, such as `cpu` or `cuda:0`; without networks the processor.
        engines: those whose needs are met.
    """

    device: str
    engines: tuple[OfferedEngine, ...]
