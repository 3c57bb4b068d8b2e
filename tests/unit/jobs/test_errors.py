"""The errors: every sentence can be filled and every error survives the way through JSON."""

import json
from string import Formatter

import pytest

from jobs import errors, service_errors, weights_errors
from jobs.errors import AnimatoError, OperatorError, UserError
from jobs.service_errors import error_from_dict


def classes_below(base: type[AnimatoError]) -> list[type[AnimatoError]]:
    found = [base]
    for child in base.__subclasses__():
        found += classes_below(child)
    ours = (errors.__name__, service_errors.__name__, weights_errors.__name__)
    return [error for error in found if error.__module__ in ours]


def filled(error: type[AnimatoError]) -> AnimatoError:
    names = {name for _, name, _, _ in Formatter().parse(error.sentence) if name}
    return error(**dict.fromkeys(names, 7))


@pytest.mark.parametrize("error", classes_below(AnimatoError))
def test_error_survives_json(error: type[AnimatoError]) -> None:
    before = filled(error)
    after = error_from_dict(json.loads(json.dumps(before.to_dict())))
    assert type(after) is error
    assert str(after) == str(before)
    assert "{" not in str(after)


@pytest.mark.parametrize("error", classes_below(UserError))
def test_persons_error_is_theirs_and_never_ours(error: type[AnimatoError]) -> None:
    assert not issubclass(error, OperatorError)


def test_error_without_its_fields_is_refused() -> None:
    with pytest.raises(KeyError, match="name"):
        errors.UnknownTemplate(known="nod")


def test_unknown_class_is_refused() -> None:
    with pytest.raises(KeyError, match="SystemExit"):
        error_from_dict({"error": "SystemExit", "fields": {}})
