"""The check of the movements' catalogue at the start of the bot and of workers."""

import logging
from pathlib import Path

from jobs.errors import BadSettings
from jobs.templates import Catalogue

log = logging.getLogger(__name__)


def check_movements(folder: Path) -> None:
    """Log which entries of the catalogue cannot be used.

    Raises:
        BadSettings: none can.
    """
    catalogue = Catalogue.load(folder)
    if catalogue.broken and not catalogue.templates:
        raise BadSettings(reason=f"ANIMATO_TEMPLATES_DIR cannot be used: {catalogue.broken[0]}")
    for fault in catalogue.broken:
        log.warning("%s", fault)
