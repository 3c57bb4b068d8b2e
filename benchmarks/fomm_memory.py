"""Peak memory of the engine `fomm`: the same for a short and a long clip.

The networks are small, so that kept frames would show.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
import yaml

from benchmarks.run import CLI, run
from tests.parity.golden_recipe import GOLDENS
from tests.parity.networks import model_params, networks


def measure_memory(photo: Path, clips: Mapping[int, Path]) -> Iterator[tuple[str, str]]:
    """Yield (what, peak) for each clip, given by its number of frames."""
    folder = photo.parent
    config, checkpoint = folder / "tiny.yaml", folder / "tiny.pth.tar"
    found = networks("fomm_tiny")
    params = model_params(GOLDENS["fomm_tiny"].config)
    config.write_text(yaml.safe_dump({"model_params": params}), "utf-8")
    states = {
        "generator": found.generator.state_dict(),
        "kp_detector": found.detector.state_dict(),
    }
    torch.save(states, checkpoint)
    for frame_count, clip in clips.items():
        output = folder / "result.mp4"
        command = (
            *(*CLI, "animate", "--quiet", "--engine", "fomm", "--config", str(config)),
            *("--checkpoint", str(checkpoint), "--source_image", str(photo)),
            *("--driving_video", str(clip), "--output", str(output)),
        )
        settings = {"ANIMATO_CLIP_MAX_S": "61", "ANIMATO_CHECKPOINTS_DIR": str(folder / "weights")}
        peak_mb = run(command, settings).peak_mb
        yield f"peak memory, small networks, {frame_count} frames", f"{peak_mb:.0f} MB"
