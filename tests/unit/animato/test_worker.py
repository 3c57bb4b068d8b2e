"""`animato worker`: what is typed wrongly is a usage error."""

import pytest

from animato.cli import make_parser
from jobs.errors import ExtraMissing


def test_arguments_of_a_worker() -> None:
    parsed = make_parser().parse_args(
        ["worker", "--engines", "fomm, mesh", "--device", "cuda:1", "--once", "-v"]
    )
    assert (parsed.engines, parsed.device) == (("fomm", "mesh"), "cuda:1")
    assert (parsed.once, parsed.verbose) == (True, True)


def test_engine_is_named_as_before() -> None:
    parsed = make_parser().parse_args(["worker", "--engines", "still,flow"])
    assert parsed.engines == ("still", "mesh")


def test_nothing_needs_to_be_said() -> None:
    parsed = make_parser().parse_args(["worker"])
    assert (parsed.engines, parsed.device, parsed.once) == ((), None, False)
    assert not parsed.verbose
    assert make_parser().parse_args(["--verbose", "worker"]).verbose


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--device", "gpu"], "'gpu' is none of auto, cpu"),
        (["--engines", "mesh,"], "not a list of engines"),
        (["--engines", ""], "not a list of engines"),
    ],
)
def test_what_is_typed_wrongly_is_told(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        make_parser().parse_args(["worker", *words])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_missing_extra_is_told_with_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "inference.extras.find_spec", lambda name: None if name == "redis" else name
    )
    parsed = make_parser().parse_args(["worker"])
    with pytest.raises(
        ExtraMissing, match=r"animato worker needs the extra service: run .*\[service\]"
    ):
        parsed.run(parsed)
