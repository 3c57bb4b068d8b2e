"""What an engine process is started with, and the marks that both sides agree on."""

from pathlib import Path
from typing import Self

from pydantic import Field

from jobs.model import Value

RESULT_NAME = "result.mp4"
"""Name of the video in the folder of its request."""

THUMBNAIL_NAME = "thumbnail.jpg"
"""Name of the thumbnail in the same folder."""

TRACK_SUFFIX = ".npz"
"""The track of a clip is kept beside the clip, under its name with this suffix."""

LINE_LIMIT_BYTES = 1 << 18
"""The longest line of a response."""

END_MARK = b"\x1e"
"""Begins the line after what was printed for one request."""


class EngineSetup(Value):
    """What an engine process is started with; its paths become absolute.

    Attributes:
        templates_dir: the catalogue of movements.
        checkpoints_dir: where weights are found.
        device: what networks compute on; it overrides the engine options of a wish.
        weights_mirror: base URL that weights are downloaded from; empty: the catalogue's URLs.
        is_offline: whether nothing is ever downloaded.
        niceness: scheduling priority of the process, 0 to 19. At 5 a look beside it takes hardly
            longer than alone; at much more, a busy machine starves the process.
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
        """Return the setup for a process with another working directory."""
        update = {
            "templates_dir": self.templates_dir.absolute(),
            "checkpoints_dir": self.checkpoints_dir.absolute(),
        }
        if self.further_engines is not None:
            update["further_engines"] = self.further_engines.absolute()
        return self.model_copy(update=update)
