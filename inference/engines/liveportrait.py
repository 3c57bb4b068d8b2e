"""LivePortrait (Guo et al. 2024): learned motion of a face of 512 px, pasted back into the photo.

A square around each face is cut out of the photo, moved by the networks, stitched so that it fits
its surroundings, and pasted back. A clip's motion is measured from its calmest frames, so the first
one need not show a neutral face.
"""

import hashlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from inference.arrays import Floats, Picture
from inference.engine import Driving, EngineCrop, Motion
from inference.engine_options import EngineOptions
from inference.faces.finder import look_at_face
from inference.faces.landmarker import Landmarker, Square
from inference.faces.loading import landmarker
from inference.faces.model_file import FILE_NAME
from inference.faces.points_68 import points_68
from inference.liveportrait.files import FILES, checkpoints
from inference.liveportrait.geometry import (
    SquarePaste,
    box_square,
    common_box,
    photo_input,
    photo_square,
)
from inference.liveportrait.landmarks import AT_REST, openings
from inference.liveportrait.measuring import measured
from inference.liveportrait.motion import MotionOptions
from inference.liveportrait.track import VERSION, MotionTrack, read_track, write_track
from inference.network_engine import NetworkEngine
from inference.overlap import ahead
from jobs.errors import NoFaceInBox
from jobs.model import Face
from jobs.weights_errors import WeightsMissing
from jobs.wish import MAX_FACES

if TYPE_CHECKING:
    from inference.liveportrait.networks import Networks
    from inference.weights.store import WeightsStore

_OWN_OPTIONS = frozenset(MotionOptions.__dataclass_fields__)


class LivePortraitEngine(NetworkEngine):
    """Animates faces with the networks."""

    name = "liveportrait"
    title = "LivePortrait: the liveliest faces, 512 px; made for a GPU, slow without one"
    button = "Liveliest"
    credits = "LivePortrait (Guo et al. 2024, Kuaishou), code and weights under the MIT licence"
    preference = 30
    preference_on_cpu = 4
    options = _OWN_OPTIONS | {"device", "precision", "smooth"}
    max_faces = MAX_FACES

    def __init__(
        self, chosen: EngineOptions | None = None, weights: "WeightsStore | None" = None
    ) -> None:
        super().__init__(chosen, weights)
        self._looked: tuple[Picture, tuple[Face, ...], list[_Place]] | None = None

    @classmethod
    def missing_files(
        cls,
        chosen: EngineOptions,  # noqa: ARG003 - the interface's signature
        weights: "WeightsStore | None",
    ) -> tuple[str, ...]:
        """Return the weights if any of the five files is missing."""
        if weights is not None and all(
            weights.has_checkpoint(weights.folder / name) for name in FILES
        ):
            return ()
        return ("weights: run `animato weights fetch liveportrait`",)

    def load(self) -> None:
        """Load the networks, downloading and converting their weights first if need be."""
        if self.weights is None:
            raise WeightsMissing(path=FILES[0], hint="no folder of weights was given")
        self.weights.provide(FILE_NAME)
        paths = tuple(checkpoints(self.weights).items())
        self._networks = _load(paths, self.chosen.device, self.chosen.precision)

    def crop_for(self, faces: Sequence[Face], photo: Picture) -> EngineCrop:
        """Return the box of all squares. They are pasted here, and fade out on their own."""
        return EngineCrop(common_box([place.paste.box for place in self._places(faces, photo)]))

    def prepare(self, photo: Picture, faces: Sequence[Face]) -> None:
        """Measure the faces and encode their pictures."""
        # It loads torch, which is slow to import, and missing without the extra.
        from inference.liveportrait.animator import Animator  # noqa: PLC0415

        self.load()
        own = {name: getattr(self.chosen, name) for name in _OWN_OPTIONS}
        self._animator = Animator(self._networks, MotionOptions(**own))
        self._prepared = [
            (self._animator.prepare(photo_input(photo, place.square), place.openings), place.paste)
            for place in self._places(faces, photo)
        ]
        box = self.crop_for(faces, photo).box
        self._corner = box.left, box.upper
        self._background = photo[box.upper : box.lower, box.left : box.right]

    def animate(
        self,
        driving: Driving | None,
        motion: "Motion | None",  # noqa: ARG002 - the interface's signature
    ) -> Iterator[Sequence[Picture]]:
        """Yield frames; empty batches while the clip is measured.

        The networks and the caller's work run concurrently.
        """
        if driving is None:
            message = "the engine needs a clip"
            raise ValueError(message)
        track = yield from self._track(driving)
        played = track.played(float(driving.frame_rate), self.chosen.smooth)
        points = [self._animator.keypoints(face, played) for face, _ in self._prepared]
        with closing(ahead(self._squares(points), size=2)) as batches:
            for batch in batches:
                yield [self._pasted(squares) for squares in zip(*batch, strict=True)]

    def _squares(self, points: Sequence[Floats]) -> Iterator[list[Picture]]:
        """Batches of each face's frames, (B, 512, 512, 3)."""
        size = self._networks.batch_size
        for first in range(0, len(points[0]), size):
            part = slice(first, first + size)
            yield [
                self._animator.render(face, of_face[part])
                for (face, _), of_face in zip(self._prepared, points, strict=True)
            ]

    def _pasted(self, squares: Sequence[Picture]) -> Picture:
        frame = self._background.copy()
        for (_, paste), square in zip(self._prepared, squares, strict=True):
            paste.onto(frame, self._corner, square)
        return frame

    def _track(self, driving: Driving) -> Generator[Sequence[Picture], None, MotionTrack]:
        """The clip's motion, measured or kept; yields empty batches meanwhile."""
        path = self._cache_path(driving)
        kept = read_track(path) if path else None
        if kept is not None and driving.frame_count in (None, kept.frame_count):
            return kept
        track = yield from measured(driving, self._landmarker, self._animator.extract)
        if path is not None:
            write_track(path, track)
        return track

    def _cache_path(self, driving: Driving) -> Path | None:
        if driving.identity is None or self.weights is None:
            return None
        facts = (VERSION, driving.identity, self._networks.motion_sha256, driving.face.box.sides)
        name = hashlib.sha256(repr(facts).encode()).hexdigest()[:32]
        return self.weights.folder / "motion_tracks" / f"{name}.npz"

    def _places(self, faces: Sequence[Face], photo: Picture) -> "list[_Place]":
        """Where the faces are; measured once for `crop_for` and `prepare`."""
        known = self._looked
        if known is None or known[0] is not photo or known[1] != tuple(faces):
            places = [
                # Later ones are pasted over it.
                self._place(face, (*faces[:number], *self.still_faces), photo)
                for number, face in enumerate(faces)
            ]
            self._looked = known = (photo, tuple(faces), places)
        return known[2]

    def _place(self, face: Face, others: Sequence[Face], photo: Picture) -> "_Place":
        try:
            landmarks = look_at_face(self._landmarker, photo, face)
            square, opened = photo_square(points_68(landmarks)), openings(landmarks.points)
        except NoFaceInBox:
            # The networks need none; a drawing may move all the same.
            square, opened = box_square(face.box), AT_REST
        paste = SquarePaste.of(square, (photo.shape[1], photo.shape[0]), face, others)
        return _Place(square, opened, paste)

    @property
    def _landmarker(self) -> Landmarker:
        return landmarker(self.weights.folder if self.weights else None)


class _Place(NamedTuple):
    """A face in a photo."""

    square: Square
    openings: Sequence[float]
    paste: SquarePaste


@lru_cache(maxsize=1)
def _load(paths: tuple[tuple[str, Path], ...], device: str, precision: str) -> "Networks":
    """`load_networks`, cached between orders."""
    from inference.liveportrait.networks import load_networks  # noqa: PLC0415 - as `Animator`

    return load_networks(dict(paths), device, precision)


ENGINE = LivePortraitEngine
