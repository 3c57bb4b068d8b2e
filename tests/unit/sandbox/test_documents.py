"""docs/sandbox.md says what the server does."""

import re
from pathlib import Path

from sandbox.bot_api.methods import METHODS
from sandbox.person_side.routes import ACTS

TEXT = (Path(__file__).parents[3] / "docs" / "sandbox.md").read_text("utf-8")


def test_document_names_every_method_and_no_other() -> None:
    listed = TEXT.partition("<!-- methods: begin -->")[2].partition("<!-- methods: end -->")[0]
    assert re.findall(r"`(\w+)`", listed) == sorted(METHODS)


def test_document_names_every_act_of_persons_and_no_other() -> None:
    rows = re.findall(r"^\| `POST (.+?)` \|", TEXT, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"/sim/(\w+)", row)} == set(ACTS)
