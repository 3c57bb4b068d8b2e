"""The First Order Motion Model (Siarohin et al. 2019): learned motion, a face of 256 px.

A square around the face is cropped from the photo and from every driving frame. The network
transfers the motion, and the pipeline pastes the result back. Without cropping, photo and frames
are resized to the square regardless of their shape, as the published code does.
"""

import hashlib
import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from functools import cached_property, lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from inference.arrays import Picture
from inference.engine import Driving, EngineCrop, Motion
from inference.engine_options import EngineOptions
from inference.faces.face_alignment import unmet_landmark_needs
from inference.fomm.config import (
    CHECKPOINT,
    SHIPPED_CONFIG,
    SIDE_PX,
    USUAL_CONFIG,
    FommConfig,
)
from inference.fomm.driving import (
    Candidates,
    Poses,
    Squares,
    batched,
    frame_distances,
    from_frame,
    read_cached,
    write_cached,
)
from inference.motion import (
    Keypoints,
    adapt_scale,
    best_frame,
    frame_of_rank,
    normalise,
    smooth,
)
from inference.network_engine import NetworkEngine
from inference.overlap import ahead
from inference.square_crop import clip_square, crop_square, face_square, squeeze
from jobs.errors import EngineUnavailable
from jobs.model import CropBox, Face
from jobs.weights_errors import WeightsMismatch, WeightsMissing

if TYPE_CHECKING:
    from inference.faces.face_alignment import LandmarkFinder
    from inference.fomm.model import FommModel
    from inference.weights.store import WeightsStore

log = logging.getLogger(__name__)

LANDMARK_FILES = ("s3fd-619a316812.pth", "2DFAN4-11f355bf06.pth.tar")
# Of the square's side. What is beside the head moves too, so the seam has to be soft.
_FEATHER = 0.12
# Frames closer together than this show about the same pose.
_BEST_FRAMES_APART_S = 0.5
# face-alignment takes seconds per picture on a CPU, so it looks only at likely frames.
_CANDIDATES = {"cpu": 8, "mps": 32, "cuda": 64}


class FommEngine(NetworkEngine):
    """Animates one face with the network."""

    name = "fomm"
    title = "First Order Motion Model: livelier, learned motion; a face of 256 px, better on a GPU"
    button = "Livelier"
    credits = (
        "First Order Motion Model (Siarohin et al., NeurIPS 2019); its published weights are for "
        "research and carry no licence of their own"
    )
    preference = 20
    preference_on_cpu = 5
    options = frozenset(
        (
            *("config", "checkpoint", "device", "precision", "align_corners", "face_detector"),
            *("crop_image", "crop_image_padding", "crop_video", "crop_margin"),
            *("relative", "adapt_scale", "find_best_frame", "best_frame_rank", "best_frame"),
            "smooth",
        )
    )

    def __init__(
        self, chosen: EngineOptions | None = None, weights: "WeightsStore | None" = None
    ) -> None:
        super().__init__(chosen, weights)
        self._config_path = _config_of(self.chosen)
        self._config = FommConfig.load(self._config_path)

    @classmethod
    def missing_files(
        cls, chosen: EngineOptions, weights: "WeightsStore | None"
    ) -> tuple[str, ...]:
        """Return the weights if they are missing."""
        if weights is not None and weights.has_checkpoint(_checkpoint_of(chosen, weights)):
            return ()
        return ("weights: run `animato weights fetch vox-cpk`",)

    @property
    def needs_face(self) -> bool:
        """The face is needed for cropping."""
        return self.chosen.crop_image

    @property
    def needs_driving_face(self) -> bool:
        """The face is needed for cropping."""
        return self.chosen.crop_video

    def faces_of(self, read: Callable[[], Picture], found: tuple[Face, ...]) -> tuple[Face, ...]:
        """Return the faces of face-alignment if it was requested and finds any; else `found`."""
        finder = self._landmark_finder
        return (finder.faces(read()) if finder else ()) or found

    def crop_for(self, faces: Sequence[Face], photo: Picture) -> EngineCrop:
        """Return a square around the face, or the whole photo; frames are 256 px square."""
        size = (SIDE_PX, SIDE_PX)
        if not self.chosen.crop_image:
            height, width = photo.shape[:2]
            return EngineCrop(CropBox(left=0, upper=0, right=width, lower=height), frame_size=size)
        box = face_square(faces[0].box, self.chosen.crop_margin, self.chosen.crop_image_padding)
        return EngineCrop(box, _FEATHER * box.width, size)

    def load(self) -> None:
        """Load the model, downloading and converting the weights first if need be."""
        if self.weights is None:
            raise WeightsMissing(path=CHECKPOINT, hint="no folder of weights was given")
        given = _checkpoint_of(self.chosen, self.weights)
        converted = self.weights.checkpoint(given)
        try:
            self._model, self._weights_hash = _load(
                self._config_path,
                converted,
                self.chosen.device,
                self.chosen.precision,
                align_corners=self.chosen.align_corners,
            )
        except WeightsMismatch as error:
            # Name the file that the person gave, not the converted one.
            raise WeightsMismatch(**(error.fields | {"file": given.name})) from error
        if self.chosen.face_detector == "face-alignment":
            # It was requested by name: fail early if it is missing.
            _ = self._landmark_finder

    def prepare(self, photo: Picture, faces: Sequence[Face]) -> None:
        """Crop the photo, detect its keypoints and encode it."""
        self.load()
        self._square: Squares
        if self.chosen.crop_image:
            self._square = crop_square(photo, self.crop_for(faces, photo).box, SIDE_PX)
        else:
            self._square = squeeze(photo, SIDE_PX)
        self._source = self._model.source(self._square)
        self._candidates = self._poses = None
        if not self._must_see_all:
            return
        if self._landmark_finder is not None:
            count = _CANDIDATES.get(self._model.device.type, 8)
            self._candidates = Candidates(self._source.keypoints, count)
        elif self.weights is not None:
            self._poses = Poses(self._square, self.weights.folder)

    def animate(
        self,
        driving: Driving | None,
        motion: "Motion | None",  # noqa: ARG002 - the interface's signature
    ) -> Iterator[Sequence[Picture]]:
        """Yield frames; reading, the network and the caller's work run concurrently."""
        if driving is None:
            message = "the engine needs a clip"
            raise ValueError(message)
        with closing(ahead(self._batches(driving), size=2)) as batches:
            yield from batches

    def _batches(self, driving: Driving) -> Generator[Sequence[Picture]]:
        batches: Iterator[Keypoints] = self._keypoints(driving)
        if self._must_see_all:
            seen = []
            for batch in batches:
                seen.append(batch)
                yield ()
            batches = iter(seen)
        frames: Iterator[Keypoints] = smooth(batches, self.chosen.smooth, float(driving.frame_rate))
        best = self.chosen.best_frame or 0
        if self._must_see_all:
            whole = list(frames)
            apart = max(1, round(_BEST_FRAMES_APART_S * driving.frame_rate))
            best, frames = self._best_frame(whole, apart), iter(whole)
        initial, frames = from_frame(frames, best)
        source, relative = self._source.keypoints, self.chosen.relative
        scale = adapt_scale(source, initial) if self.chosen.adapt_scale else 1.0
        while part := list(islice(frames, self._model.batch_size)):
            keypoints = Keypoints.joined(part)
            keypoints = normalise(source, keypoints, initial, relative=relative, scale=scale)
            yield list(self._model.render(self._source, keypoints))

    @property
    def _must_see_all(self) -> bool:
        # Absolute positions are not measured from a frame.
        is_wanted = self.chosen.find_best_frame and self.chosen.relative
        return is_wanted and self.chosen.best_frame is None

    def _keypoints(self, driving: Driving) -> Generator[Keypoints]:
        """The driving keypoints in batches, from the cache or detected."""
        path = self._cache_path(driving)
        # Candidates need the frames themselves, which are not cached.
        cached = read_cached(path) if path and self._candidates is None else None
        if cached is not None:
            if self._poses is not None:
                with closing(ahead(self._squares(driving), size=16)) as squares:
                    for square in squares:
                        self._poses.watch(square)
            yield cached
            return
        found = []
        size = self._model.batch_size
        with closing(ahead(self._squares(driving), size=2 * size)) as squares:
            for batch in batched(squares, size):
                keypoints = self._model.detect(batch)
                if self._candidates is not None:
                    self._candidates.watch(batch, keypoints)
                elif self._poses is not None:
                    for square in batch:
                        self._poses.watch(square)
                if path is not None:
                    found.append(keypoints)
                yield keypoints
        if path is not None and found:
            write_cached(path, Keypoints.joined(found))

    def _squares(self, driving: Driving) -> Iterator[Squares]:
        """The network's input: one box for all frames, so that the face keeps its size."""
        box = self._driving_box(driving)
        for frame in driving.frames:
            yield squeeze(frame, SIDE_PX) if box is None else crop_square(frame, box, SIDE_PX)

    def _driving_box(self, driving: Driving) -> CropBox | None:
        if not self.chosen.crop_video:
            return None
        return clip_square([driving.face.box, *driving.later_faces], self.chosen.crop_margin)

    def _cache_path(self, driving: Driving) -> Path | None:
        if driving.identity is None or self.weights is None:
            return None
        detector = self._config.common_params, self._config.kp_detector_params
        facts = (driving.identity, self._weights_hash, detector, self._driving_box(driving))
        name = hashlib.sha256(repr(facts).encode()).hexdigest()[:32]
        return self.weights.folder / "keypoints" / f"{name}.npz"

    @cached_property
    def _landmark_finder(self) -> "LandmarkFinder | None":
        """face-alignment, if it was requested.

        Raises:
            EngineUnavailable: its library is not installed.
            WeightsError: its weights cannot be downloaded.
        """
        if self.weights is None or self.chosen.face_detector != "face-alignment":
            return None
        needs = unmet_landmark_needs()
        if needs:
            raise EngineUnavailable(name="fomm with face-alignment", needs="; ".join(needs))
        detector, landmarks = (self.weights.file(name, may_fetch=True) for name in LANDMARK_FILES)
        assert detector is not None and landmarks is not None  # noqa: S101, PT018 - else it raises
        return _load_landmarks(detector, landmarks, self.chosen.device)

    def _best_frame(self, frames: Sequence[Keypoints], apart: int) -> int:
        """The frame nearest the photo's pose, by landmarks or else by keypoints.

        With face-alignment, further ranks use keypoints: its candidates lie close together.
        """
        best = None
        finder = self._landmark_finder
        distances = None if self._poses is None else self._poses.distances()
        if self._candidates is not None and finder is not None:
            best = self._candidates.best(finder.largest, self._square)
        if distances is None:
            distances = frame_distances(self._source.keypoints, frames)
        if best is None:
            best = best_frame(distances)
        best = frame_of_rank(distances, best, self.chosen.best_frame_rank, apart)
        log.info("the movement is measured from frame %d", best)
        return best


@lru_cache(maxsize=1)
def _load(
    config: Path, checkpoint: Path, device: str, precision: str, *, align_corners: bool
) -> "tuple[FommModel, str]":
    """`load_model`, cached between orders."""
    # torch is slow to import, and missing without the extra.
    from inference.fomm.model import load_model  # noqa: PLC0415

    return load_model(config, checkpoint, device, precision, align_corners=align_corners)


@lru_cache(maxsize=1)
def _load_landmarks(detector: Path, landmarks: Path, device: str) -> "LandmarkFinder":
    from inference.device import choose_device  # noqa: PLC0415 - as in `_load`
    from inference.faces.face_alignment import LandmarkFinder  # noqa: PLC0415

    return LandmarkFinder(detector, landmarks, str(choose_device(device)))


def _config_of(chosen: EngineOptions) -> Path:
    """The config's path; the usual one is found from any working directory."""
    if chosen.config is None or (chosen.config == USUAL_CONFIG and not chosen.config.exists()):
        return SHIPPED_CONFIG
    return chosen.config


def _checkpoint_of(chosen: EngineOptions, weights: "WeightsStore") -> Path:
    return chosen.checkpoint or weights.folder / CHECKPOINT


ENGINE = FommEngine
