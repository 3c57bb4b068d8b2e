"""The settings: environment variables named `ANIMATO_...`, or lines of a `.env` file.

The composition roots load the settings once and pass the values down; nothing else reads the
environment. `docs/configure.md` explains each of them.
"""

import difflib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from jobs.engines import EngineName
from jobs.errors import BadSettings
from jobs.templates import SHIPPED_TEMPLATES

PREFIX = "ANIMATO_"
_UNPREFIXED = ("redis_url", "store_url")  # also read without the prefix

BOT_SECRETS = ("bot_token", "webhook_secret")  # errors never quote their values

# Shown for an invalid value where the validator's own message does not help.
_EXPECTED = {
    "admins": "Telegram user ids, separated by commas, such as 4242,4343",
    "bot_api_url": "the URL of a Bot API server, such as http://127.0.0.1:8081",
    "bot_token": "a token from @BotFather, such as 4242:AbC-123",
    "default_engine": "the name of an engine (animato engines), or auto",
    "device": "auto, cpu, mps, cuda or, of several GPUs, cuda:1",
    "engines": "names of engines (animato engines), such as fomm,mesh",
    "webhook_listen": "an address of this machine and a port, such as 127.0.0.1:8443",
    "webhook_secret": "1 to 256 letters, digits, hyphens and underscores",
    "webhook_url": "a URL, such as https://example.org/animato",
    "weights_mirror": "a base URL, such as https://example.org/weights",
    "provenance": "required, on or off",
    "log_format": "text or json",
    "language": "a two-letter code, such as en or de",
    "redis_url": "redis://host:port, rediss://host:port or unix:///path",
    "store_url": "a folder (/folder or ./folder), file:///folder or s3://bucket/prefix",
}


def _named_so(field: str) -> AliasChoices:
    """Return both names of a setting that is also read without the prefix; ours comes first."""
    return AliasChoices(PREFIX + field.upper(), field.upper())


def _matching(pattern: str) -> AfterValidator:
    """Check that a secret is empty or matches a pattern."""

    def check(value: SecretStr) -> SecretStr:
        if (secret := value.get_secret_value()) and not re.fullmatch(pattern, secret):
            message = "invalid"
            raise ValueError(message)
        return value

    return AfterValidator(check)


def _split_list(value: object) -> object:
    """Split a text at its commas."""
    return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value


class Settings(BaseSettings):
    """All settings of a process; frozen.

    Attributes:
        templates_dir: the folder of the templates' catalogue and its files.
        default_engine: the engine that is used when none is named.
        engines: the engines that a worker offers; empty: all that are ready.
        clip_max_s: driving clips are cut to this length, s.
        device: what the network engines compute on; `auto` takes cuda, then mps, then cpu.
        checkpoints_dir: the folder of the weights.
        weights_mirror: the base address of the only server to download weights from; empty: those
            of the catalogue.
        offline: whether downloads are off.
        redis_url: the Redis or Valkey of the queues; empty: an embedded one is started. Secret: it
            may contain a password.
        store_url: the file store; empty: a folder in `data_dir`. Secret: it may contain keys.
        data_dir: the folder of the embedded server's files and of the file store.
        retain_input_h: how long photos and clips are kept after the last tap of their draft, h.
        retain_result_h: how long results are kept after their delivery, h.
        backup_days: how long the owner keeps backups, for `/privacy`; 0: there are none.
        min_free_gb: with less free space than this, nothing is put into the file store, GB.
        open_orders_per_person: the most unfinished orders of a person.
        orders_per_day: the most orders of a person within 24 hours.
        show_all_per_day: of these, the most that show all movements.
        queue_limit: the most unfinished orders of everybody.
        engine_load_timeout_s: an engine that is not ready after this time is killed, s.
        engine_frame_timeout_s: an engine that produces no frame for this time is killed, s.
        bot_token: the token from @BotFather; secret. Empty: there is no bot.
        admins: the Telegram user ids of the admins.
        open: whether everybody may use the bot; else only admins and those whom they let in.
        language: the language of people and groups for whom no other is known.
        broadcast: whether admins may write to everybody who uses the bot.
        try_it_button: whether results that are shared to groups have a button that opens the bot.
        visible_mark: whether workers draw the letters AI in a corner of results.
        owner_contact: how people can reach the owner; empty: not shown.
        provenance: whether results are signed (C2PA): always, if possible, or never.
        bot_api_url: the server of the Bot API.
        bot_api_local: whether that server runs with `--local`, on this machine.
        messages_per_second: the most messages and edits of the bot in a second, to all chats.
        webhook_url: where Telegram sends updates to; empty: they are fetched by polling.
        webhook_listen: the address and port to receive them at.
        webhook_secret: authenticates Telegram; empty: a new one at each start.
        log_format: that of the log of the service's programs.
        metrics_port: the port at which metrics are served; None: they are off.
        metrics_host: the address of this machine to serve them at.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        extra="ignore",  # a .env file may contain other programs' names; ours are checked in `load`
        # In compose files, a variable that is set to nothing means that it is not set.
        env_ignore_empty=True,
        hide_input_in_errors=True,  # it may be a secret
        populate_by_name=True,  # `Settings(redis_url=...)` must not be silently ignored
    )

    templates_dir: Path = SHIPPED_TEMPLATES
    default_engine: EngineName = "auto"
    engines: Annotated[tuple[EngineName, ...], NoDecode, BeforeValidator(_split_list)] = ()
    clip_max_s: Annotated[float, Field(gt=0, le=600, allow_inf_nan=False)] = 15.0
    device: Annotated[str, StringConstraints(pattern=r"^(auto|cpu|mps|cuda(:\d{1,2})?)$")] = "auto"
    checkpoints_dir: Path = Path("checkpoints")
    weights_mirror: Annotated[str, StringConstraints(pattern=r"^(https?://[^\s/?#]\S*)?$")] = ""
    offline: bool = False
    redis_url: Annotated[
        SecretStr,
        _matching(r"(rediss?|unix)://[\s\S]*"),
        Field(validation_alias=_named_so("redis_url")),
    ] = SecretStr("")
    store_url: Annotated[
        SecretStr,
        _matching(r"(s3://|file:///|[/.~])[\s\S]*"),
        Field(validation_alias=_named_so("store_url")),
    ] = SecretStr("")
    data_dir: Path = Path("data")
    retain_input_h: Annotated[float, Field(gt=0, le=8760, allow_inf_nan=False)] = 24.0
    retain_result_h: Annotated[float, Field(gt=0, le=8760, allow_inf_nan=False)] = 24.0
    backup_days: Annotated[int, Field(ge=0, le=3650)] = 0
    min_free_gb: Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)] = 2.0
    open_orders_per_person: Annotated[int, Field(ge=1, le=10_000)] = 3
    orders_per_day: Annotated[int, Field(ge=1, le=100_000)] = 30
    show_all_per_day: Annotated[int, Field(ge=1, le=100_000)] = 5
    queue_limit: Annotated[int, Field(ge=1, le=100_000)] = 500
    engine_load_timeout_s: Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)] = 300.0
    engine_frame_timeout_s: Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)] = 120.0
    bot_token: Annotated[SecretStr, _matching(r"\d+:[A-Za-z0-9_-]+")] = SecretStr("")
    admins: Annotated[tuple[int, ...], NoDecode, BeforeValidator(_split_list)] = ()
    open: bool = False
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")] = "en"
    broadcast: bool = False
    try_it_button: bool = False
    visible_mark: bool = True
    owner_contact: Annotated[str, StringConstraints(max_length=200)] = ""
    provenance: Literal["required", "on", "off"] = "on"
    bot_api_url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s/?#]\S*$")] = (
        "https://api.telegram.org"
    )
    bot_api_local: bool = False
    messages_per_second: Annotated[int, Field(ge=1, le=1000)] = 30
    webhook_url: Annotated[str, StringConstraints(pattern=r"^(https?://[^\s/?#]\S*)?$")] = ""
    webhook_listen: Annotated[str, StringConstraints(pattern=r"^\S+:\d{1,5}$")] = "127.0.0.1:8443"
    webhook_secret: Annotated[SecretStr, _matching(r"[A-Za-z0-9_-]{1,256}")] = SecretStr("")
    log_format: Literal["text", "json"] = "text"
    metrics_port: Annotated[int, Field(ge=1, le=65_535)] | None = None
    metrics_host: str = "127.0.0.1"

    @property
    def store_address(self) -> str:
        """The address of the file store; secret: it may contain keys."""
        return self.store_url.get_secret_value() or str(self.data_dir / "files")

    @property
    def min_free_bytes(self) -> int:
        """With less free space than this, nothing is put into the file store."""
        return round(self.min_free_gb * 1_000_000_000)

    @classmethod
    def load(cls, env_file: Path | None = None, *, without: Iterable[str] = ()) -> Self:
        """Load the settings from the environment and, as a fallback, from a file.

        Args:
            env_file: lines NAME=value; it may be missing. None: only the environment.
            without: secrets that this process must not have: they are left empty.

        Raises:
            BadSettings: an unknown `ANIMATO_...` name, an invalid value, or an unreadable file.
        """
        try:
            from_file = dotenv_values(env_file) if env_file is not None else {}
        except (OSError, UnicodeDecodeError) as error:
            reason = f"{env_file} cannot be read as UTF-8 text."
            raise BadSettings(reason=reason) from error
        _refuse_unknown([*os.environ, *from_file])
        try:
            # Arguments override environment and file.
            secrets: dict[str, Any] = dict.fromkeys(without, SecretStr(""))
            # `_env_file` is an argument of pydantic-settings.
            return cls(_env_file=env_file, **secrets)  # type: ignore[call-arg]
        except ValidationError as error:
            raise BadSettings(reason=_sentence(error.errors()[0])) from error


def variable_of(field: str) -> str:
    """Return the environment variable of a field."""
    return PREFIX + field.upper()


def _refuse_unknown(names: list[str]) -> None:
    """Raise unless every name with our prefix is a setting: a typo must not be ignored."""
    known = [variable_of(field) for field in Settings.model_fields]
    for name in names:
        if not name.upper().startswith(PREFIX) or name.upper() in known:
            continue
        # Without the prefix, which would make any two of them similar.
        own = name.upper().removeprefix(PREFIX)
        nearest = difflib.get_close_matches(own, [one.removeprefix(PREFIX) for one in known], n=1)
        hint = f"known are {', '.join(known)}."
        if nearest:
            hint = f"did you mean {PREFIX}{nearest[0]}?"
        raise BadSettings(reason=f"There is no setting {name}: {hint}")


def _sentence(problem: ErrorDetails) -> str:
    """Return what is wrong with a value, naming its variable."""
    field = str(problem["loc"][0]).removeprefix(PREFIX).lower()
    message = problem["msg"][:1].lower() + problem["msg"][1:]
    if Settings.model_fields[field].annotation is bool:
        message = "expected true or false"
    elif field in _EXPECTED:
        message = f"expected {_EXPECTED[field]}"
    if field in _UNPREFIXED:
        return f"{variable_of(field)} (or {field.upper()}) cannot be used: {message}."
    if field in BOT_SECRETS:
        return f"{variable_of(field)} cannot be used: {message}."
    return f"{variable_of(field)} is {problem['input']!r}: {message}."
