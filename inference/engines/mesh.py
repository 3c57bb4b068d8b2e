"""Landmarks and a mesh: no generative network, no GPU, the photo's own pixels.

A landmark network measures the photo's faces and the clip's; a drawn movement needs no clip. The
photo is warped once, at its full resolution; eyes and mouths are drawn over it.
"""

import importlib.util
import logging
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, nullcontext
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from inference.arrays import Doubles, Picture
from inference.engine import Driving, Engine, EngineCrop
from inference.engine_options import EngineOptions
from inference.faces.finder import look_at_face
from inference.faces.landmarker import Landmarker
from inference.faces.loading import landmarker, model_path
from inference.faces.model_file import FILE_NAME, NAME
from inference.mesh.curves import CurveShapes, moment_at
from inference.mesh.measuring import TrackRecorder
from inference.mesh.moment import Moment
from inference.mesh.renderer import FaceRenderer, PhotoRenderer
from inference.mesh.speech import SpeechShapes
from inference.mesh.track import Track, read_track, write_track
from inference.overlap import ahead
from inference.voice.speech import Speech
from jobs.errors import BrokenTrack
from jobs.model import Face
from jobs.templates import CurveMotion
from jobs.weights_errors import WeightsCorrupt, WeightsMissing

if TYPE_CHECKING:
    from inference.weights.store import WeightsStore

log = logging.getLogger(__name__)

_BATCH = 5
# Several faces should not move in unison: how much later each moves, s, and how strongly.
_DELAYS_S = (0.0, 0.16, 0.28, 0.08, 0.36, 0.2, 0.12, 0.24)
_STRENGTHS = (1.0, 0.85, 1.1, 0.95, 0.9, 1.05, 0.8, 1.0)


class MeshEngine(Engine):
    """Warps the faces of a photo."""

    name = "mesh"
    title = "Landmarks and a mesh: sharp, fast, no GPU; several faces at once"
    label = "Made with AI: landmarks of a neural network moved the photo's own pixels"
    button = "Sharper"
    credits = "MediaPipe's face landmark network (Google, Apache 2.0)"
    preference = 10
    digital_source_type = "http://cv.iptc.org/newscodes/digitalsourcetype/composite"
    options = frozenset({"relative", "strength"})
    max_faces = len(_DELAYS_S)

    def __init__(
        self, chosen: EngineOptions | None = None, weights: "WeightsStore | None" = None
    ) -> None:
        super().__init__(chosen, weights)
        self._made: tuple[Picture, tuple[Face, ...], PhotoRenderer] | None = None

    @classmethod
    def unmet_needs(cls) -> tuple[str, ...]:
        """Return the library of the landmark network, where it is not installed."""
        if importlib.util.find_spec("ai_edge_litert") is None:
            return ("ai-edge-litert: pip install ai-edge-litert",)
        return ()

    @classmethod
    def missing_files(
        cls,
        chosen: EngineOptions,  # noqa: ARG003 - the interface's signature
        weights: "WeightsStore | None",
    ) -> tuple[str, ...]:
        """Return the landmark network if it is missing or altered."""
        try:
            model_path(weights.folder if weights else None)
        except (WeightsMissing, WeightsCorrupt):
            return (f"weights: run `animato weights fetch {NAME}`",)
        return ()

    def load(self) -> None:
        """Load the landmark network, downloading it first if need be."""
        if self.weights is not None:
            self.weights.provide(FILE_NAME)
        _ = self._network

    def crop_for(self, faces: Sequence[Face], photo: Picture) -> EngineCrop:
        """Return the faces' surroundings; their borders do not move, so there is no feather."""
        return EngineCrop(self._renderer_of(photo, faces).box)

    def prepare(self, photo: Picture, faces: Sequence[Face]) -> None:
        """Measure the faces."""
        self._renderer = self._renderer_of(photo, faces)
        self._face_count = len(faces)
        self._shapes = CurveShapes.of(self._network.mesh)

    def animate(
        self, driving: Driving | None, motion: "CurveMotion | Track | Speech | None"
    ) -> Iterator[Sequence[Picture]]:
        """Yield frames, five at a time; empty batches while a clip is measured."""
        if isinstance(motion, CurveMotion):
            yield from self._rendered(self._moments_of_curves(motion))
        elif isinstance(motion, Speech):
            yield from self._rendered(self._moments_of_speech(motion))
        elif isinstance(motion, Track):
            yield from self._of_track(motion, motion.moments())
        elif driving is not None:
            yield from self._following(driving)
        else:
            message = "the engine needs a clip or a motion"
            raise ValueError(message)

    def _following(self, driving: Driving) -> Generator[Sequence[Picture]]:
        """Measure the clip if need be, then read it again: its mouth is seen in the result."""
        first = list(islice(driving.frames, 1))
        track = _kept_track(driving, first)
        if track is None:
            recorder = TrackRecorder(driving.face, driving.frame_rate, self._network)
            with closing(ahead(chain(first, driving.frames), size=_BATCH)) as frames:
                while batch := list(islice(frames, _BATCH)):
                    for frame in batch:
                        recorder.see(frame)
                    yield ()
            track = recorder.track()
            _keep(track, driving.track_file)
        part = track.mouth_part
        reopened = driving.reopen(part) if part and driving.reopen else nullcontext(iter(()))
        with reopened as again:
            yield from self._of_track(track, track.moments(again, part))

    def _of_track(self, track: Track, moments: Iterator[Moment]) -> Generator[Sequence[Picture]]:
        rest = None if self.chosen.relative else track.rest_angles.astype(np.float64)
        yield from self._rendered(self._moments_of_track(track, moments), rest)

    def _rendered(
        self, moments: Iterator[list[Moment]], rest: Doubles | None = None
    ) -> Generator[Sequence[Picture]]:
        # Closed here, so that no thread works on after a failure.
        with closing(ahead(moments, size=_BATCH)) as ready:
            while batch := list(islice(ready, _BATCH)):
                yield [self._renderer.render(of_faces, rest) for of_faces in batch]

    def _moments_of_curves(self, motion: CurveMotion) -> Iterator[list[Moment]]:
        """The moments of each face; one that is late begins with the movement's end, or rests."""
        duration_s = motion.frame_count / motion.fps
        for index in range(motion.frame_count):
            times = [index / motion.fps - delay for delay in self._delays_s]
            if motion.seamless:
                times = [time_s % duration_s for time_s in times]
            yield self._scaled([moment_at(motion, time_s, self._shapes) for time_s in times])

    def _moments_of_speech(self, speech: Speech) -> Iterator[list[Moment]]:
        """The moments of each face: the mouths are in step with the sound, the heads may be late.

        A head that is late begins with its first frame.
        """
        shapes = SpeechShapes(self._network.mesh)
        delays = [round(delay * speech.frame_rate) for delay in self._delays_s]
        for index in range(speech.frame_count):
            heads = [max(0, index - delay) for delay in delays]
            yield self._scaled([shapes.moment(speech, index, head) for head in heads])

    def _moments_of_track(self, track: Track, moments: Iterator[Moment]) -> Iterator[list[Moment]]:
        """The moments of each face; those that are late begin with the first one."""
        delays = [round(delay * track.frame_rate) for delay in self._delays_s]
        past: deque[Moment] = deque(maxlen=max(delays) + 1)
        for moment in moments:
            past.append(moment)
            yield self._scaled([past[max(0, len(past) - 1 - delay)] for delay in delays])

    @property
    def _network(self) -> Landmarker:
        return landmarker(self.weights.folder if self.weights else None)

    @property
    def _delays_s(self) -> tuple[float, ...]:
        return _DELAYS_S[: self._face_count]

    def _scaled(self, moments: Sequence[Moment]) -> list[Moment]:
        strengths = (self.chosen.strength * own for own in _STRENGTHS)
        return [
            moment if strength == 1 else moment.scaled(strength)
            for moment, strength in zip(moments, strengths, strict=False)
        ]

    def _renderer_of(self, photo: Picture, faces: Sequence[Face]) -> PhotoRenderer:
        """The renderer; measured once for `crop_for` and `prepare`."""
        if self._made is None or self._made[0] is not photo or self._made[1] != tuple(faces):
            found = PhotoRenderer(
                photo,
                [_face_renderer(photo, face, self._network) for face in faces],
                [face.box for face in self.still_faces],
            )
            self._made = (photo, tuple(faces), found)
        return self._made[2]


def _kept_track(driving: Driving, first: Sequence[Picture]) -> Track | None:
    """The track in the clip's track file; None if it is not there or not that of this clip."""
    if driving.track_file is None or not driving.track_file.exists():
        return None
    try:
        track = read_track(driving.track_file)
    except BrokenTrack as error:
        log.warning(
            "measuring the clip again: its track is unusable (%s)", error.__cause__ or error
        )
        return None
    found = track.frame_rate, track.frame_count, [track.frame_size]
    if found != (driving.frame_rate, driving.frame_count, [one.shape[1::-1] for one in first]):
        log.warning(
            "measuring the clip again: %s is the track of another clip", driving.track_file.name
        )
        return None
    log.info("the clip was measured before")
    return track


def _keep(track: Track, path: Path | None) -> None:
    """Write the track to the clip's track file; where that fails, it is measured again."""
    if path is None:
        return
    try:
        write_track(track, path)
    except OSError as error:
        log.warning("could not write the clip's track: %s", error)


def _face_renderer(photo: Picture, face: Face, network: Landmarker) -> FaceRenderer:
    landmarks = look_at_face(network, photo, face)
    return FaceRenderer(photo, landmarks, network.scores(landmarks), network.mesh)


ENGINE = MeshEngine
