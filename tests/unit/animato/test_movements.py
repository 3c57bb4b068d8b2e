"""The check of the movements' catalogue at the start."""

import logging
import shutil
from pathlib import Path

import pytest

from animato.movements import check_movements
from jobs.templates import CATALOGUE_NAME, SHIPPED_TEMPLATES


def test_entry_that_cannot_be_used_is_logged_and_the_others_serve(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(SHIPPED_TEMPLATES, tmp_path, dirs_exist_ok=True)
    check_movements(tmp_path)
    assert caplog.messages == []
    with (tmp_path / CATALOGUE_NAME).open("a") as file:
        file.write("- name: hop\n")
    check_movements(tmp_path)
    assert {record.levelno for record in caplog.records} == {logging.WARNING}
    assert all(one.startswith(f"{CATALOGUE_NAME}, line ") for one in caplog.messages)
