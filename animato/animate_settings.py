"""This machine's settings as values for the picture code."""

from pathlib import Path

from animato.default_engine import check_default_engine
from animato.weights import store_of
from inference.command import AnimateSettings
from jobs.settings import Settings


def load_animate_settings(*, is_quiet: bool) -> AnimateSettings:
    """Load the settings from the environment and `.env`.

    Args:
        is_quiet: whether downloads and conversions print nothing.

    Raises:
        BadSettings: a setting is invalid.
    """
    settings = Settings.load(Path(".env"))
    check_default_engine(settings)
    return AnimateSettings(
        templates_dir=settings.templates_dir,
        clip_max_s=settings.clip_max_s,
        default_engine=settings.default_engine,
        device=settings.device,
        weights=store_of(settings, is_quiet=is_quiet),
    )
