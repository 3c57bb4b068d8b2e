"""LivePortrait's five weight files in the published layout, with seeded weights."""

from pathlib import Path

from tests.liveportrait_recipe import fill, shapes

STATE_DICTS = {
    "F": "appearance_feature_extractor.pth",
    "M": "motion_extractor.pth",
    "W": "warping_module.pth",
    "G": "spade_generator.pth",
}
RETARGETING = {
    "S.stitching": "retarget_shoulder",
    "S.lip": "retarget_mouth",
    "S.eye": "retarget_eye",
}


def write_weights(folder: Path) -> None:
    """Writes the five files of the recipe's weights (520 MB, a few seconds) into a folder."""
    import torch  # noqa: PLC0415 - part of the extra

    wanted = shapes()

    def state(network: str) -> dict[str, torch.Tensor]:
        arrays = fill(network, wanted[network])
        return {key: torch.from_numpy(array) for key, array in arrays.items()}

    folder.mkdir(parents=True, exist_ok=True)
    for network, name in STATE_DICTS.items():
        torch.save(state(network), folder / name)
    retargeting = {
        name: {f"module.{key}": value for key, value in state(network).items()}
        for network, name in RETARGETING.items()
    }
    torch.save(retargeting, folder / "stitching_retargeting_module.pth")
