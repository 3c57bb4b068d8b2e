"""The settings of the bot's connection."""

import traceback

import pytest

from bot.gateway.connection import bot_of
from bot.gateway.rate_limiter import ChatRateLimiter
from jobs.errors import BadSettings
from jobs.settings import Settings


@pytest.mark.parametrize("name", ["ANIMATO_BOT_TOKEN", "ANIMATO_WEBHOOK_SECRET"])
def test_secret_that_cannot_be_used_is_in_no_error(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "hunter2 with spaces")
    with pytest.raises(BadSettings, match=f"{name} cannot be used: expected") as caught:
        Settings.load()
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_token_is_in_no_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANIMATO_BOT_TOKEN", "4242:hunter2")
    settings = Settings.load()
    assert settings.bot_token.get_secret_value() == "4242:hunter2"
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ANIMATO_BOT_API_URL", "127.0.0.1:8081"),
        ("ANIMATO_WEBHOOK_URL", "example.org"),
        ("ANIMATO_WEBHOOK_LISTEN", "8443"),
    ],
)
def test_address_that_cannot_be_used_is_an_error(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadSettings, match=f"{name} is '{value}': expected"):
        Settings.load()


async def test_overall_limit_of_messages_is_the_one_that_is_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANIMATO_BOT_TOKEN", "4242:hunter2")
    monkeypatch.setenv("ANIMATO_MESSAGES_PER_SECOND", "50")
    limiter = bot_of(Settings.load()).rate_limiter
    assert isinstance(limiter, ChatRateLimiter)

    async def send() -> None: ...

    for chat in range(1, 31):
        await limiter.process_request(send, (), {}, "sendMessage", {"chat_id": chat}, None)
    assert limiter.closed_s(99) == 0
