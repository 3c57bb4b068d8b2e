"""The extra `neural`: told without loading any of it."""

import subprocess
import sys

import pytest

from inference.extras import NEURAL_COMMAND, missing_neural, need_extras
from jobs.errors import ExtraMissing


def test_what_is_not_installed_is_named_and_so_is_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # None is how Python writes down that a module cannot be imported.
    monkeypatch.setitem(sys.modules, "torch", None)
    assert "torch" in missing_neural()
    with pytest.raises(ExtraMissing) as caught:
        need_extras("The engine fomm", "neural")
    assert str(caught.value) == f"The engine fomm needs the extra neural: {NEURAL_COMMAND}."


def test_telling_loads_none_of_it() -> None:
    code = (
        "import sys; from inference.extras import missing_neural; import inference.weights.store,"
        " animato.weights; missing_neural(); print(*sys.modules)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "inference.weights.store" in loaded
    assert not {"torch", "httpx", "safetensors", "filelock"} & set(loaded)
