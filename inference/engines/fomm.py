"""The First Order Motion Model (Siarohin et al. 2019): learned motion, a face of 256 px.

A square round the face is cut out of the photo and of every driving frame; the network moves the
first as the second moves, and the pipeline pastes the result back. Without cropping, photo and
frames are squeezed into the square as the published code does it.
"""

import hashlib
import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from functools import cached_property, lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from inference.engine import Driving, Engine, EngineCrop, Picture
from inference.engine_options import EngineOptions
from inference.extras import NEURAL_COMMAND, let_threads_sleep, missing_neural
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
    Normalisation,
    Squares,
    batched,
    frame_distances,
    from_frame,
    read_cached,
    write_cached,
)
from inference.motion import Keypoints, best_frame, frame_of_rank, smooth
from inference.overlap import ahead
from inference.square_crop import clip_square, crop_square, face_square, squeeze
from jobs.errors import EngineUnavailable, WeightsError, WeightsMismatch, WeightsMissing
from jobs.model import CropBox, Face

if TYPE_CHECKING:
    from inference.faces.face_alignment import LandmarkFinder
    from inference.flow.track import Track
    from inference.fomm.model import FommModel
    from inference.weights.store import WeightsStore
    from jobs.templates import CurveMotion

log = logging.getLogger(__name__)

LANDMARK_FILES = ("s3fd-619a316812.pth", "2DFAN4-11f355bf06.pth.tar")
# Of the square's side. What is beside the head moves too, and must not end at a line.
_FEATHER = 0.12
# Frames nearer to each other than this show about the same pose.
_BEST_FRAMES_APART_S = 0.5
# A processor needs seconds for the landmarks of one picture, so only the likely ones are looked at.
_CANDIDATES = {"cpu": 8, "mps": 32, "cuda": 64}


class FommEngine(Engine):
    """The network; one face."""

    name = "fomm"
    title = "First Order Motion Model: livelier, learned motion; a face of 256 px, better on a GPU"
    label = "Made with AI: a neural network animated the face"
    button = "Livelier"
    credits = (
        "First Order Motion Model (Siarohin et al., NeurIPS 2019); its published weights are for "
        "research and carry no licence of their own"
    )
    preference = 20
    digital_source_type = (
        "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
    )
    options = frozenset(EngineOptions.__dataclass_fields__)
    evaluates_motions = False

    def __init__(
        self, chosen: EngineOptions | None = None, weights: "WeightsStore | None" = None
    ) -> None:
        super().__init__(chosen, weights)
        self._config_path = _config_of(self.chosen)
        self._config = FommConfig.load(self._config_path)
        # Before anything loads torch.
        let_threads_sleep()

    @classmethod
    def unmet_needs(cls) -> tuple[str, ...]:
        """The extra `neural`, if it is not installed."""
        return (f"the extra neural: {NEURAL_COMMAND}",) if missing_neural() else ()

    @classmethod
    def missing_files(
        cls, chosen: EngineOptions, weights: "WeightsStore | None"
    ) -> tuple[str, ...]:
        """The weights, if they are not there."""
        if weights is not None and weights.has_checkpoint(_checkpoint_of(chosen, weights)):
            return ()
        return ("weights: run `animato weights fetch vox-cpk`",)

    @property
    def needs_face(self) -> bool:
        """For cropping."""
        return self.chosen.crop_image

    @property
    def needs_driving_face(self) -> bool:
        """For cropping."""
        return self.chosen.crop_video

    def faces_of(self, read: Callable[[], Picture], found: tuple[Face, ...]) -> tuple[Face, ...]:
        """The landmark network's, where it is there and wanted and sees any; else `found`."""
        finder = self._landmark_finder
        return (finder.faces(read()) if finder else ()) or found

    def crop_for(self, face: Face, photo: Picture) -> EngineCrop:
        """A square round the face, or the whole photo; the network's frames are 256 px square."""
        size = (SIDE_PX, SIDE_PX)
        if not self.chosen.crop_image:
            height, width = photo.shape[:2]
            return EngineCrop(CropBox(left=0, upper=0, right=width, lower=height), frame_size=size)
        box = face_square(face.box, self.chosen.crop_margin, self.chosen.crop_image_padding)
        return EngineCrop(box, _FEATHER * box.width, size)

    def load(self) -> None:
        """The model, with the weights fetched and converted first if need be."""
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
            # The converted file's name says nothing to the person.
            raise WeightsMismatch(**(error.fields | {"file": given.name})) from error
        if self.chosen.face_detector == "face-alignment":
            # Asked for by name, it must not turn out to be missing after all else is done.
            _ = self._landmark_finder

    def prepare(self, photo: Picture, face: Face) -> None:
        """Looks at the photo."""
        self.load()
        self._square: Squares
        if self.chosen.crop_image:
            self._square = crop_square(photo, self.crop_for(face, photo).box, SIDE_PX)
        else:
            self._square = squeeze(photo, SIDE_PX)
        self._source = self._model.source(self._square)
        self._candidates = None
        if self._must_see_all and self._landmark_finder is not None:
            count = _CANDIDATES.get(self._model.device.type, 8)
            self._candidates = Candidates(self._source.keypoints, count)

    def animate(
        self,
        driving: Driving | None,
        motion: "CurveMotion | Track | None",  # noqa: ARG002 - the contract's signature
    ) -> Iterator[Sequence[Picture]]:
        """The frames; reading, the network and what the caller does with frames overlap."""
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
        normalised = Normalisation(
            self._source.keypoints, initial, self.chosen.relative, self.chosen.adapt_scale
        )
        while part := list(islice(frames, self._model.batch_size)):
            rendered = self._model.render(self._source, normalised(Keypoints.joined(part)))
            yield list(rendered)

    @property
    def _must_see_all(self) -> bool:
        # Positions that are carried over as they are have no frame to be measured from.
        is_wanted = self.chosen.find_best_frame and self.chosen.relative
        return is_wanted and self.chosen.best_frame is None

    def _keypoints(self, driving: Driving) -> Generator[Keypoints]:
        """The driving keypoints in batches: those that were kept, or detected and kept."""
        path = self._place_to_keep(driving)
        # The pictures of candidates are not kept: who looks at them has to read all frames.
        kept = read_cached(path) if path and self._candidates is None else None
        if kept is not None:
            yield kept
            return
        found = []
        size = self._model.batch_size
        with closing(ahead(self._squares(driving), size=2 * size)) as squares:
            for batch in batched(squares, size):
                keypoints = self._model.detect(batch)
                if self._candidates is not None:
                    self._candidates.watch(batch, keypoints)
                if path is not None:
                    found.append(keypoints)
                yield keypoints
        if path is not None and found:
            write_cached(path, Keypoints.joined(found))

    def _squares(self, driving: Driving) -> Iterator[Squares]:
        """The driving frames as the network sees them: one box for all, so that no head pumps."""
        box = self._driving_box(driving)
        for frame in driving.frames:
            yield squeeze(frame, SIDE_PX) if box is None else crop_square(frame, box, SIDE_PX)

    def _driving_box(self, driving: Driving) -> CropBox | None:
        if not self.chosen.crop_video:
            return None
        return clip_square([driving.face.box, *driving.later_faces], self.chosen.crop_margin)

    def _place_to_keep(self, driving: Driving) -> Path | None:
        if driving.identity is None or self.weights is None:
            return None
        detector = self._config.common_params, self._config.kp_detector_params
        facts = (driving.identity, self._weights_hash, detector, self._driving_box(driving))
        name = hashlib.sha256(repr(facts).encode()).hexdigest()[:32]
        return self.weights.folder / "keypoints" / f"{name}.npz"

    @cached_property
    def _landmark_finder(self) -> "LandmarkFinder | None":
        """The landmark network, if it is wanted and can be had.

        Raises:
            EngineUnavailable: it was asked for by name, and its library is not installed.
            WeightsError: it was asked for by name, and its weights cannot be fetched.
        """
        wish = self.chosen.face_detector
        if wish == "lbp" or self.weights is None:
            return None
        is_asked_for = wish == "face-alignment"
        needs = unmet_landmark_needs()
        if needs and is_asked_for:
            raise EngineUnavailable(name="fomm with face-alignment", needs="; ".join(needs))
        if needs or not (is_asked_for or all(map(self.weights.has_file, LANDMARK_FILES))):
            return None
        try:
            files = [self.weights.file(name, may_fetch=is_asked_for) for name in LANDMARK_FILES]
        except WeightsError as error:
            if is_asked_for:
                raise
            log.warning("faces are looked for without face-alignment: %s", error)
            return None
        detector, landmarks = files
        assert detector is not None and landmarks is not None  # noqa: S101, PT018 - else it raises
        return _load_landmarks(detector, landmarks, self.chosen.device)

    def _best_frame(self, frames: Sequence[Keypoints], apart: int) -> int:
        """The frame nearest the photo's pose, by its landmarks or else by its keypoints.

        Further ranks go by keypoints: the frames that were kept for landmarks lie close together.
        """
        best = None
        finder = self._landmark_finder
        if self._candidates is not None and finder is not None:
            best = self._candidates.best(finder.largest, self._square)
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
    """The model, kept from one order to the next, and the hash of its weights.

    Raises:
        DeviceUnavailable: the device is not there.
        WeightsError, BrokenConfig: as `load_networks`.
    """
    # Imported late: torch takes seconds, and is not there without the extra.
    from inference.fomm.loading import load_networks  # noqa: PLC0415
    from inference.fomm.model import FommModel, choose_device, choose_dtype  # noqa: PLC0415

    place = choose_device(device)
    detector, generator, weights_hash = load_networks(
        config, checkpoint, align_corners=align_corners
    )
    model = FommModel(detector, generator, place, choose_dtype(precision, place))
    log.info("computing on %s in %s", place, model.dtype)
    return model, weights_hash


@lru_cache(maxsize=1)
def _load_landmarks(detector: Path, landmarks: Path, device: str) -> "LandmarkFinder":
    from inference.faces.face_alignment import LandmarkFinder  # noqa: PLC0415
    from inference.fomm.model import choose_device  # noqa: PLC0415 - as in `_load`

    return LandmarkFinder(detector, landmarks, str(choose_device(device)))


def _config_of(chosen: EngineOptions) -> Path:
    """The config's path; the usual one is found from any folder."""
    if chosen.config is None or (chosen.config == USUAL_CONFIG and not chosen.config.exists()):
        return SHIPPED_CONFIG
    return chosen.config


def _checkpoint_of(chosen: EngineOptions, weights: "WeightsStore") -> Path:
    return chosen.checkpoint or weights.folder / CHECKPOINT


ENGINE = FommEngine
