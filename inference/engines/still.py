"""An engine that returns the photo for every frame, for tests and dry runs."""

from collections.abc import Iterator, Sequence

from inference.arrays import Picture
from inference.engine import Driving, Engine, EngineCrop, Motion
from jobs.model import CropBox, Face


class StillEngine(Engine):
    """Returns the photo."""

    name = "still"
    title = "Still: the photo itself, for tests and dry runs"
    label = "A still photo"
    preference = 0
    digital_source_type = "http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicallyEnhanced"

    @classmethod
    def unmet_needs(cls) -> tuple[str, ...]:
        """Return nothing: it can always run."""
        return ()

    def crop_for(
        self,
        faces: Sequence[Face],  # noqa: ARG002 - the interface's signature
        photo: Picture,
    ) -> EngineCrop:
        """Return the whole photo."""
        return EngineCrop(CropBox(left=0, upper=0, right=photo.shape[1], lower=photo.shape[0]))

    def prepare(
        self,
        photo: Picture,
        faces: Sequence[Face],  # noqa: ARG002 - the interface's signature
    ) -> None:
        """Keep the photo."""
        self._photo = photo

    def animate(
        self, driving: Driving | None, motion: "Motion | None"
    ) -> Iterator[Sequence[Picture]]:
        """Yield the photo once per frame."""
        if driving is not None:
            for _ in driving.frames:
                yield [self._photo]
        elif motion is not None:
            for _ in range(motion.frame_count):
                yield [self._photo]


ENGINE = StillEngine
