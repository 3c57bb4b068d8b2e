"""Two client libraries behind one protocol, so that the same script can be run with both.

Both follow the Bot API's own names: methods in snake_case, types as documented. What differs is
here: how a file is given, how it is downloaded, how a refusal is raised. Every object that comes
back has been parsed by the library's own models; a field that they do not know fails the test, as a
misspelt one would.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from datetime import timedelta
from functools import cache
from types import ModuleType
from typing import Any, Protocol, Self

import aiogram
import aiogram.types
import pytest
import telegram
from aiogram import exceptions
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from pydantic import BaseModel
from telegram import error
from telegram.request import HTTPXRequest

from sandbox.server import Sandbox

# What aiogram insists on, and python-telegram-bot is too old to know.
NEWER = {"can_send_welcome_messages"}


class Client(Protocol):
    """A library's bot. Its objects are `Any`: the libraries share names, not types."""

    name: str
    types: ModuleType
    bot: Any

    def file(self, content: bytes, name: str) -> Any:
        """An upload, sent in the way that the library takes for a method's main file."""

    def attached(self, content: bytes, name: str) -> Any:
        """An upload for InputMedia and thumbnails, which refer to it by `attach://`."""

    async def download(self, file_id: str) -> bytes:
        """A file's bytes, through the library's own download."""

    def refusal(self, code: int) -> type[Exception]:
        """What the library raises for an error code."""

    def migration(self) -> tuple[type[Exception], str]:
        """What it raises where a group was upgraded, and the attribute that has the new id."""

    async def close(self) -> None:
        """Ends its connections."""


class CheckedBot:
    """Calls the library's bot, and reads every answer for fields that its models do not know."""

    def __init__(self, bot: Any) -> None:
        self._bot = bot

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._bot, name)

        async def call(**parameters: Any) -> Any:
            answer = await method(**parameters)
            unknown = list(strays(answer))
            assert unknown == [], unknown
            return answer

        return call


class PythonTelegramBot:
    """python-telegram-bot."""

    name = "python-telegram-bot"
    types: ModuleType = telegram

    def __init__(self, base_url: str, base_file_url: str, token: str) -> None:
        # Nothing here speaks TLS, and reading the machine's certificates takes its time.
        self._request = HTTPXRequest(httpx_kwargs={"verify": False})
        self._bot = telegram.Bot(
            token, base_url, base_file_url, self._request, get_updates_request=self._request
        )
        self.bot = CheckedBot(self._bot)

    def file(self, content: bytes, name: str) -> telegram.InputFile:
        return telegram.InputFile(content, name)

    def attached(self, content: bytes, name: str) -> telegram.InputFile:
        return telegram.InputFile(content, name, attach=True)

    async def download(self, file_id: str) -> bytes:
        found = await self.bot.get_file(file_id=file_id)
        return bytes(await found.download_as_bytearray())

    def refusal(self, code: int) -> type[Exception]:
        known: dict[int, type[Exception]] = {
            400: error.BadRequest,
            401: error.InvalidToken,
            403: error.Forbidden,
            404: error.InvalidToken,
            409: error.Conflict,
            429: error.RetryAfter,
        }
        return known.get(code, error.NetworkError)

    def migration(self) -> tuple[type[Exception], str]:
        return error.ChatMigrated, "new_chat_id"

    async def close(self) -> None:
        await self._request.shutdown()


class Aiogram:
    """aiogram."""

    name = "aiogram"
    types: ModuleType = aiogram.types

    def __init__(self, base_url: str, base_file_url: str, token: str) -> None:
        address = base_url.removesuffix("/bot")
        self._session = PlainSession.copied(TelegramAPIServer.from_base(address))
        assert base_file_url == f"{address}/file/bot"
        self._bot = aiogram.Bot(token, self._session)
        self.bot = CheckedBot(self._bot)

    def file(self, content: bytes, name: str) -> aiogram.types.BufferedInputFile:
        return aiogram.types.BufferedInputFile(content, name)

    attached = file

    async def download(self, file_id: str) -> bytes:
        found = await self._bot.download(file_id)
        assert found is not None
        return found.read()

    def refusal(self, code: int) -> type[Exception]:
        known: dict[int, type[Exception]] = {
            400: exceptions.TelegramBadRequest,
            401: exceptions.TelegramUnauthorizedError,
            403: exceptions.TelegramForbiddenError,
            404: exceptions.TelegramNotFound,
            409: exceptions.TelegramConflictError,
            413: exceptions.TelegramEntityTooLarge,
            429: exceptions.TelegramRetryAfter,
        }
        return known.get(code, exceptions.TelegramServerError)

    def migration(self) -> tuple[type[Exception], str]:
        return exceptions.TelegramMigrateToChat, "migrate_to_chat_id"

    async def close(self) -> None:
        await self._session.close()


class PlainSession(AiohttpSession):
    """aiogram's session without TLS, for whose end it would wait a quarter of a second."""

    @classmethod
    def copied(cls, api: TelegramAPIServer) -> Self:
        """A new session; the machine's certificates, which take their time, are read once."""
        session = copy(cls._first())
        session.api = api
        return session

    @classmethod
    @cache
    def _first(cls) -> Self:
        return cls()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


CLIENTS: Mapping[str, type[PythonTelegramBot] | type[Aiogram]] = {
    kind.name: kind for kind in (PythonTelegramBot, Aiogram)
}


def connected(name: str, sandbox: Sandbox, token: str | None = None) -> Client:
    """The library's bot for this server."""
    return CLIENTS[name](sandbox.base_url, sandbox.base_file_url, token or sandbox.token)


# --- what came back -------------------------------------------------------------------------------


def strays(found: object, where: str = "") -> Iterator[str]:
    """Paths of the fields that the library's models do not know, however deep."""
    place = f"{where}.{type(found).__name__}"
    if isinstance(found, BaseModel):
        yield from (f"{place}.{name}" for name in found.model_extra or {})
        for name in type(found).model_fields:
            yield from strays(getattr(found, name), place)
    elif isinstance(found, telegram.TelegramObject):
        yield from (f"{place}.{name}" for name in found.api_kwargs.keys() - NEWER)
        for kind in type(found).__mro__:
            for name in getattr(kind, "__slots__", ()):
                if name not in {"_bot", "api_kwargs"}:
                    yield from strays(getattr(found, name, None), place)
    elif isinstance(found, list | tuple):
        for item in found:
            yield from strays(item, where)


def seconds(value: float | timedelta) -> float:
    """A duration, which the libraries give in two ways."""
    return value.total_seconds() if isinstance(value, timedelta) else value


@contextmanager
def refused(client: Client, code: int, words: str = "") -> Iterator[None]:
    """Expects that the library raises what it has for this code, with these words in its text.

    One of the libraries writes the descriptions in small letters.
    """
    kind = client.refusal(code)
    with pytest.raises(kind, match=re.compile(re.escape(words), re.IGNORECASE)) as caught:
        yield
    assert caught.type is kind  # and nothing more special


async def heard(client: Client, **wishes: object) -> list[Any]:
    """The updates that wait, confirmed as a bot does that polls on."""
    found: list[Any] = list(await client.bot.get_updates(**wishes))
    if found:
        await client.bot.get_updates(offset=found[-1].update_id + 1)
    return found
