"""`make demo`: the public-domain portrait of the templates, animated on the main path."""

import sys
import tempfile
from pathlib import Path

from PIL import Image

from animato.cli import main
from inference.template_build import driving_portrait

OUTPUT = Path("out/demo.mp4")
TEMPLATE = "nod"


def demo() -> int:
    """Writes `out/demo.mp4` and prints where it is and how long it took; the exit code."""
    OUTPUT.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="animato-") as folder:
        photo = Path(folder) / "portrait.png"
        Image.fromarray(driving_portrait()).save(photo)
        source, output = ["--source_image", str(photo)], ["--output", str(OUTPUT)]
        return main(["animate", *source, "--template", TEMPLATE, *output])


if __name__ == "__main__":
    sys.exit(demo())
