"""Which failures may pass, and what the log says of them."""

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TimedOut,
)

from bot.gateway.application import describe_error, is_temporary
from jobs.errors import UnsupportedMedia
from jobs.service_errors import QueueUnavailable, StoreUnavailable


@pytest.mark.parametrize(
    "error",
    [
        QueueUnavailable(place="here", reason="it does not answer"),
        StoreUnavailable(place="here", reason="it does not answer"),
        RedisConnectionError(),
        NetworkError("Bad Gateway"),
        TimedOut(),
        InvalidToken(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_server_that_is_away_may_come_back(error: Exception) -> None:
    assert is_temporary(error)


def test_flood_limit_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PTB_TIMEDELTA", "true")  # else the library warns of its own default
    assert is_temporary(RetryAfter(240))


@pytest.mark.parametrize(
    "error",
    [
        BadRequest("Chat not found"),
        Forbidden("blocked"),
        ChatMigrated(-5),
        ValueError(),
        KeyError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_anything_else_will_not_be_better_next_time(error: Exception) -> None:
    assert not is_temporary(error)


def raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:  # noqa: BLE001 - of any kind, by the test
        return caught


@pytest.mark.parametrize(
    "error",
    [
        ValueError("private words"),
        InvalidToken("`hunter2`"),
        UnsupportedMedia(name="me.heic"),
    ],
)
def test_words_that_may_be_private_are_not_described(error: Exception) -> None:
    said = describe_error(raised(error))
    assert type(error).__name__ in said
    assert str(error) not in said


def test_place_of_a_failure_is_described() -> None:
    assert "in raised" in describe_error(raised(ValueError()))


def test_words_of_ours_and_of_telegram_are_described() -> None:
    assert "Chat not found" in describe_error(raised(BadRequest("Chat not found")))
    assert "it does not answer" in describe_error(
        raised(QueueUnavailable(place="here", reason="it does not answer"))
    )
