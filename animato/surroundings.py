"""The settings of this machine, as the picture code takes them: as values."""

from pathlib import Path

from animato.default_engine import check_default_engine
from animato.weights import store_of
from inference.command import Surroundings
from jobs.settings import Settings


def load_surroundings(*, is_quiet: bool) -> Surroundings:
    """What the environment and `.env` say.

    Args:
        is_quiet: whether downloads and conversions are silent.

    Raises:
        BadSettings: a setting cannot be used.
    """
    settings = Settings.load(Path(".env"))
    check_default_engine(settings)
    return Surroundings(
        templates_dir=settings.templates_dir,
        clip_max_s=settings.clip_max_s,
        default_engine=settings.default_engine,
        device=settings.device,
        weights=store_of(settings, is_quiet=is_quiet),
    )
