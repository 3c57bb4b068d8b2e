"""The engine that the settings name must exist: here, or on some worker."""

import pytest

from animato.default_engine import check_default_engine
from jobs.errors import BadSettings
from jobs.settings import Settings


@pytest.mark.parametrize("name", ["auto", "mesh", "blue"])
def test_engine_of_this_machine_or_of_a_worker_is_taken(name: str) -> None:
    check_default_engine(Settings(default_engine=name), ("blue", "mesh"))


def test_engine_that_nobody_has_is_refused_in_one_sentence() -> None:
    with pytest.raises(BadSettings) as refused:
        check_default_engine(Settings(default_engine="flew"), ("blue",))
    known = "auto, blue, fomm, liveportrait, mesh, still"
    says = f"ANIMATO_DEFAULT_ENGINE is 'flew': choose one of {known}."
    assert says in str(refused.value)
