"""The settings of this machine, as the picture code takes them: as values."""

from pathlib import Path

from animato.weights import store_of
from inference.command import Surroundings
from inference.engine import engine_names
from jobs.errors import BadSettings
from jobs.settings import Settings, variable_of


def load_surroundings(*, is_quiet: bool) -> Surroundings:
    """What the environment and `.env` say.

    Args:
        is_quiet: whether downloads and conversions are silent.

    Raises:
        BadSettings: a setting cannot be used.
    """
    settings = Settings.load(Path(".env"))
    known = ("auto", *engine_names())
    if settings.default_engine not in known:
        variable = variable_of("default_engine")
        reason = f"{variable} is {settings.default_engine!r}: choose one of {', '.join(known)}."
        raise BadSettings(reason=reason)
    return Surroundings(
        templates_dir=settings.templates_dir,
        clip_max_s=settings.clip_max_s,
        default_engine=settings.default_engine,
        device=settings.device,
        weights=store_of(settings, is_quiet=is_quiet),
    )
