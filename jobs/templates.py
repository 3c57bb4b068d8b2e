"""The templates' catalogue: the movements on offer, read from `templates.yaml`.

    Catalogue --* Template --1 CurveMotion   drawn curves; engines may evaluate them exactly
                           or  ClipMotion    a recorded clip, with its stored track

An operator edits the file by hand, so errors name file and line, and one broken entry does not
affect the others. The format is explained at the top of the shipped `templates.yaml`.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from jobs.curves import LIMITS, CurveName
from jobs.errors import BrokenTemplate, UnknownTemplate, os_reason
from jobs.findings import ClipFindings
from jobs.model import Value
from jobs.track_length import track_frames
from jobs.yaml_lines import Entry, Lines, YamlProblem, read_entries
from jobs.yaml_lines import Path as DataPath

CATALOGUE_NAME = "templates.yaml"
SHIPPED_TEMPLATES = Path(__file__).parent.parent / "templates"

# At this distance from its middle a blink, exp(-(t / 0.115)^4), is no longer visible, s.
BLINK_REACH_S = 0.2


# A text or a boolean in place of a number is a typo.
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Key = tuple[Number, Number]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z]{2,8})?$")]
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$")]


def _check_rising(keys: tuple[Key, ...]) -> tuple[Key, ...]:
    """Check that the times of keys rise and that the first value is rest."""
    if keys[0][1] != 0:
        reason = "a curve starts at rest: its first value must be 0"
        raise PydanticCustomError("at_rest", reason, {"at": [0]})
    for index, ((before_s, _), (after_s, _)) in enumerate(pairwise(keys), start=1):
        if after_s <= before_s:
            reason = "key times must rise: {after_s} s follows {before_s} s"
            context = {"at": [index], "after_s": after_s, "before_s": before_s}
            raise PydanticCustomError("rising", reason, context)
    return keys


Curve = Annotated[tuple[Key, ...], Field(min_length=2), AfterValidator(_check_rising)]


class CurveMotion(Value):
    """A drawn movement: no recorded person, the same for every face.

    Attributes:
        duration_s: its length; a whole number of frames.
        fps: frames per second.
        curves: the keys (time in s, value) of each moved parameter, joined by smooth steps
            t^2 (3 - 2 t); constant before the first key and after the last one.
        blinks: the middles of blinks of both eyes, s.
    """

    duration_s: Annotated[Number, Field(ge=0.5, le=15)]
    fps: Annotated[int, Field(strict=True, ge=10, le=60)] = 25
    curves: dict[CurveName, Curve] = Field(default_factory=dict)
    blinks: tuple[Number, ...] = ()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not self.curves and not self.blinks:
            reason = "a movement needs at least one curve or blink"
            raise PydanticCustomError("still", reason)
        if abs(self.duration_s * self.fps - self.frame_count) > 1e-6:
            reason = "duration_s must be a whole number of frames of 1/{fps} s"
            raise PydanticCustomError("frames", reason, {"at": ["duration_s"], "fps": self.fps})
        for name, keys in self.curves.items():
            self._check_keys(name, keys)
        for index, time_s in enumerate(self.blinks):
            # Closer to the beginning, frame 0 would differ from the photo.
            if not BLINK_REACH_S <= time_s <= self.duration_s - BLINK_REACH_S:
                reason = "a blink must lie at least {reach_s} s inside the movement"
                at = ["blinks", index]
                raise PydanticCustomError("blink", reason, {"at": at, "reach_s": BLINK_REACH_S})
        return self

    def _check_keys(self, name: CurveName, keys: tuple[Key, ...]) -> None:
        low, high = LIMITS[name]
        for index, (time_s, value) in enumerate(keys):
            at = ["curves", name.value, index]
            if not 0 <= time_s <= self.duration_s:
                reason = "a key at {time_s} s lies outside the movement's {duration_s} s"
                context = {"at": at, "time_s": time_s, "duration_s": self.duration_s}
                raise PydanticCustomError("outside", reason, context)
            if not low <= value <= high:
                reason = "{name} must stay between {low} and {high}, not {value}"
                context = {"at": at, "name": name.value, "low": low, "high": high, "value": value}
                raise PydanticCustomError("limit", reason, context)

    @property
    def frame_rate(self) -> Fraction:
        """Frames per second, exact."""
        return Fraction(self.fps)

    @property
    def frame_count(self) -> int:
        """The number of frames; frame i shows the time i / fps, a loop restarts at `duration_s`."""
        return round(self.duration_s * self.fps)

    @property
    def seamless(self) -> bool:
        """Whether every curve returns to rest, so that the movement can loop."""
        return all(keys[-1][1] == 0 for keys in self.curves.values())


class ClipMotion(Value):
    """A recorded movement.

    Attributes:
        clip: file name of the recording, beside the catalogue.
        track: file name of its stored track, beside the catalogue; made from the clip.
        frame_count: the track's number of frames; 0: unknown. Not in the file: `load` finds it.
    """

    clip: FileName
    track: Annotated[FileName, StringConstraints(pattern=r"\.npz$")]
    frame_count: int = Field(default=0, ge=0, exclude=True)

    @property
    def seamless(self) -> Literal[False]:
        """Recorded people do not return to exactly where they began."""
        return False


def _kind_of_motion(motion: object) -> str:
    """Return which of the two kinds a motion is meant to be, for errors about that kind only."""
    if isinstance(motion, ClipMotion) or (isinstance(motion, dict) and "clip" in motion):
        return "recorded"
    return "drawn"


class Template(Value):
    """One movement of the catalogue.

    Attributes:
        name: its name in commands and file names.
        emoji: for its button.
        title: its name for people by language code; `en` is required.
        description: one line, English; may be empty.
        licence: who made the motion, and under which terms it may be used.
        motion: the movement itself.
    """

    name: Slug
    emoji: Annotated[str, StringConstraints(min_length=1, max_length=8)]
    title: dict[Language, Line]
    description: Annotated[str, StringConstraints(max_length=200)] = ""
    licence: Line
    motion: Annotated[
        Annotated[CurveMotion, Tag("drawn")] | Annotated[ClipMotion, Tag("recorded")],
        Discriminator(_kind_of_motion),
    ]

    @model_validator(mode="after")
    def _has_english_title(self) -> Self:
        if "en" not in self.title:
            reason = "the title needs an English name (en)"
            raise PydanticCustomError("title", reason, {"at": ["title"]})
        return self

    @property
    def seamless(self) -> bool:
        """Whether the movement ends where it begins, so that it can loop."""
        return self.motion.seamless

    @property
    def driving_video_name(self) -> str:
        """File name of the driving video for engines that need one, beside the catalogue."""
        if isinstance(self.motion, ClipMotion):
            return self.motion.clip
        return f"{self.name}.mp4"

    @property
    def preview_name(self) -> str:
        """File name of the small preview, beside the catalogue."""
        # A template's name has no dot, so no driving video has this name.
        return f"{self.name}.preview.mp4"

    def source_hash(self) -> str:
        """Return the SHA-256 (hex) of the motion: when it changes, built files are out of date."""
        plain = self.motion.model_dump(mode="json")
        text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


class StoredTemplate(Template):
    """A movement of the bot's owner, whose files are in the file store.

    Attributes:
        clip: its clip there; its track and its preview lie beside it.
    """

    clip: ClipFindings

    @property
    def digest(self) -> str:
        """The SHA-256 (hex) of its clip, which names its folder in the file store."""
        return self.clip.file.split("/")[1]


@dataclass(frozen=True)
class Catalogue:
    """The movements on offer, in the file's order, and the errors of the others.

    Attributes:
        folder: the folder of the catalogue and its files.
        templates: the usable templates.
        broken: the errors of the others, in the file's order.
    """

    folder: Path
    templates: tuple[Template, ...]
    broken: tuple[BrokenTemplate, ...]

    @classmethod
    def load(cls, folder: Path = SHIPPED_TEMPLATES, *, needs_tracks: bool = True) -> "Catalogue":
        """Load the catalogue of a folder. Errors are in `broken`, none is raised.

        Args:
            folder: the folder of `templates.yaml` and the files that it names.
            needs_tracks: whether a recorded clip without its stored track is broken; False when
                building tracks.
        """
        path = folder / CATALOGUE_NAME
        try:
            text = path.read_text("utf-8-sig")
        except OSError as error:
            reason = f"it cannot be read ({os_reason(error)})"
            return cls(folder, (), (BrokenTemplate(file=str(path), line=1, reason=reason),))
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            return cls(folder, (), (_broken(line, "it must be UTF-8 text"),))
        good: list[Template] = []
        broken: list[BrokenTemplate] = []
        for entry in read_entries(text):
            if isinstance(entry, YamlProblem):
                broken.append(_broken(entry.line, entry.reason))
                continue
            try:
                template = Template.model_validate(entry.data)
            except ValidationError as error:
                faults = [_fault(problem, entry) for problem in error.errors()]
                broken += sorted(faults, key=lambda fault: int(fault.fields["line"]))
                continue
            misfits = [
                *_taken_names(template, good, entry.lines),
                *_missing_files(template, folder, entry.lines, needs_tracks=needs_tracks),
            ]
            broken += misfits
            if not misfits:
                good.append(_with_length(template, folder))
        return cls(folder, tuple(good), tuple(broken))

    def get(self, name: str) -> Template:
        """Return the template with a name.

        Raises:
            UnknownTemplate: there is none.
            BrokenTemplate: it is broken, or the whole catalogue is.
        """
        for template in self.templates:
            if template.name == name:
                return template
        for fault in self.broken:
            is_this_one = str(fault.fields["reason"]).startswith(f"{name}: ")
            if is_this_one or not self.templates:
                raise fault
        known = ", ".join(template.name for template in self.templates) or "(none)"
        raise UnknownTemplate(name=name, known=known)

    def __iter__(self) -> Iterator[Template]:
        return iter(self.templates)

    def __len__(self) -> int:
        return len(self.templates)


def _broken(line: int, reason: str) -> BrokenTemplate:
    return BrokenTemplate(file=CATALOGUE_NAME, line=line, reason=reason)


def _fault(problem: ErrorDetails, entry: Entry) -> BrokenTemplate:
    """Return a validation error as a sentence, with the line of the nearest value."""
    path: DataPath = ()
    kind = problem["type"]
    for part in (*problem["loc"], *problem.get("ctx", {}).get("at", ())):
        # Some parts are the validator's own (the kind of motion, "[key]") and not in the file.
        if (*path, part) in entry.lines:
            path = (*path, part)
    name = entry.data.get("name") if isinstance(entry.data, dict) else None
    who = [name] if isinstance(name, str) else []
    where = ".".join(str(part) for part in path)
    if kind == "missing":
        missing = problem["loc"][-1]
        what = f"{missing} is missing" if isinstance(missing, str) else "a number is missing"
    elif kind == "extra_forbidden":
        what = "this name is not known here"
    elif kind == "model_type":
        what = "an entry must be a mapping of names to values"
    else:
        what = problem["msg"][:1].lower() + problem["msg"][1:]
    return _broken(entry.lines[path], ": ".join([*who, *([where] if where else []), what]))


def _with_length(template: Template, folder: Path) -> Template:
    """Return a recorded template with the number of frames of its track, if that is there."""
    motion = template.motion
    if not isinstance(motion, ClipMotion):
        return template
    count = track_frames(folder / motion.track)
    return template.model_copy(update={"motion": motion.model_copy(update={"frame_count": count})})


def _taken_names(template: Template, good: list[Template], lines: Lines) -> list[BrokenTemplate]:
    """Return an error if an earlier template has the same name or driving video."""
    for other in good:
        if other.name == template.name:
            return [_broken(lines["name",], f"{template.name}: this name is given twice")]
        if other.driving_video_name == template.driving_video_name:
            line = lines.get(("motion", "clip"), lines["name",])
            reason = f"{template.name}: {other.name} has the file {other.driving_video_name} too"
            return [_broken(line, reason)]
    return []


def _missing_files(
    template: Template, folder: Path, lines: Lines, *, needs_tracks: bool
) -> list[BrokenTemplate]:
    """Return an error for each file of a recorded movement that is missing."""
    motion = template.motion
    if not isinstance(motion, ClipMotion):
        return []
    missing = []
    if not (folder / motion.clip).is_file():
        reason = f"{template.name}: there is no file {motion.clip} beside the catalogue"
        missing.append(_broken(lines["motion", "clip"], reason))
    if needs_tracks and not (folder / motion.track).is_file():
        reason = f"{template.name}: {motion.track} is not there: run animato templates build"
        missing.append(_broken(lines["motion", "track"], reason))
    return missing
