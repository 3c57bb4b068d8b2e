"""Values as clients send them: as text, or as what they are."""

import pytest

from sandbox.errors import ApiError
from sandbox.parameters import Parameters, Upload


@pytest.mark.parametrize(
    ("value", "expected"), [("7", 7), (7, 7), ("-1001", -1001), ("", None), (None, None)]
)
def test_integers(value: object, expected: int | None) -> None:
    assert Parameters({"a": value}).integer("a") == expected


@pytest.mark.parametrize("value", ["x", "1.5", [], {}, True])
def test_what_is_no_integer_is_refused_by_name(value: object) -> None:
    with pytest.raises(ApiError, match='parameter "a" must be an integer'):
        Parameters({"a": value}).integer("a")


@pytest.mark.parametrize("value", ["x", "nan", "inf", "-inf", "1e999", []])
def test_what_is_no_finite_number_is_refused(value: object) -> None:
    with pytest.raises(ApiError, match='parameter "a" must be a number'):
        Parameters({"a": value}).number("a")
    assert Parameters({"a": "1.5"}).number("a") == 1.5


@pytest.mark.parametrize("value", ["true", "True", "1", True, 1, "yes", "on"])
def test_truth(value: object) -> None:
    assert Parameters({"a": value}).boolean("a") is True


@pytest.mark.parametrize("value", ["false", "0", False, 0, "no", "x", "", None])
def test_untruth(value: object) -> None:
    assert Parameters({"a": value}).boolean("a") is False


@pytest.mark.parametrize("value", ['{"b": [1]}', {"b": [1]}])
def test_objects_come_as_text_or_as_themselves(value: object) -> None:
    assert Parameters({"a": value}).json_object("a") == {"b": [1]}


@pytest.mark.parametrize(
    ("getter", "value"),
    [
        ("json_object", "{"),
        ("json_object", "[]"),
        ("json_object", "[" * 100_000),
        ("array", "{}"),
        ("array", 7),
        ("objects", "[1]"),
        ("objects", [{}, None]),
    ],
)
def test_json_of_another_shape_is_refused(getter: str, value: object) -> None:
    with pytest.raises(ApiError, match="can't parse a") as refused:
        getattr(Parameters({"a": value}), getter)("a")
    assert refused.value.code == 400


def test_uploads_are_found_by_their_part() -> None:
    upload = Upload("photo", "a.jpg", b"123", "image/jpeg")
    call = Parameters({"caption": "x", "photo": "y"}, (upload,))
    assert call.upload("photo") is upload
    assert call.upload("video") is None
    assert upload.as_json() == {"name": "photo", "file_name": "a.jpg", "size": 3}
