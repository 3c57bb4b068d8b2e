"""The refusals that bots and people get."""

import pytest

from sandbox.errors import (
    ApiError,
    SimError,
    bad_request,
    conflict,
    forbidden,
    not_found,
    too_large,
    too_many_requests,
    unauthorized,
)


@pytest.mark.parametrize(
    ("error", "code", "description"),
    [
        (bad_request("chat not found"), 400, "Bad Request: chat not found"),
        (unauthorized(), 401, "Unauthorized"),
        (
            forbidden("bot was blocked by the user"),
            403,
            "Forbidden: bot was blocked by the user",
        ),
        (not_found(), 404, "Not Found"),
        (conflict("terminated by setWebhook request"), 409, None),
        (too_large(), 413, "Request Entity Too Large"),
    ],
)
def test_refusal_is_told_in_telegrams_words(
    error: ApiError, code: int, description: str | None
) -> None:
    expected = description or "Conflict: terminated by setWebhook request"
    assert error.as_json() == {"ok": False, "error_code": code, "description": expected}
    assert str(error) == expected


def test_too_many_requests_say_when_to_come_back() -> None:
    assert too_many_requests(7).as_json() == {
        "ok": False,
        "error_code": 429,
        "description": "Too Many Requests: retry after 7",
        "parameters": {"retry_after": 7},
    }


def test_parameters_of_an_error_are_its_own() -> None:
    given = {"migrate_to_chat_id": -100}
    error = ApiError(400, "Bad Request: group chat was upgraded to a supergroup chat", given)
    given.clear()
    assert error.as_json()["parameters"] == {"migrate_to_chat_id": -100}


def test_refusal_of_the_person_side_is_a_sentence() -> None:
    error = SimError("There is no chat 5.")
    assert error.sentence == str(error) == "There is no chat 5."
