"""What an operator can set: environment variables named `ANIMATO_...`, or lines of a `.env` file.

The composition roots load the settings once and pass the values down; nothing else reads the
environment. `docs/configure.md` explains each of them.
"""

import difflib
import os
from pathlib import Path
from typing import Annotated, Self

from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    AliasChoices,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from jobs.errors import BadSettings
from jobs.templates import SHIPPED_TEMPLATES

PREFIX = "ANIMATO_"
_UNPREFIXED = ("redis_url", "store_url")  # known to other programs under these names too

# Said of a wrong value where the validator's own words are no help.
_TAKES = {
    "default_engine": "the name of an engine (animato engines), or auto",
    "device": "auto, cpu, mps, cuda or, of several GPUs, cuda:1",
    "weights_mirror": "the beginning of an address, such as https://example.org/weights",
    "offline": "true or false",
    "redis_url": "redis://host:port, rediss://host:port or unix:///path",
    "store_url": "a folder (/folder or ./folder), file:///folder or s3://bucket/prefix",
}


def _named_so(field: str) -> AliasChoices:
    """Both names of a setting that is also understood without our prefix; ours comes first."""
    return AliasChoices(PREFIX + field.upper(), field.upper())


def _beginning_with(*beginnings: str) -> AfterValidator:
    """A check that a secret address is empty or begins with one of these."""

    def check(value: SecretStr) -> SecretStr:
        address = value.get_secret_value()
        if address and not address.startswith(beginnings):
            message = "no such kind of address"
            raise ValueError(message)
        return value

    return AfterValidator(check)


class Settings(BaseSettings):
    """All settings of a process; frozen.

    Attributes:
        templates_dir: the folder of the templates' catalogue and its files.
        default_engine: the engine that is used when none is named.
        clip_max_s: driving clips are cut to this length, s.
        device: what the network engines compute on; `auto` takes cuda, then mps, then cpu.
        checkpoints_dir: the folder where weights are stored and looked for.
        weights_mirror: the beginning of the only address that weights are fetched from; empty: the
            addresses of the catalogue.
        offline: whether nothing is ever downloaded.
        redis_url: the server of the queues; empty: one of our own is started. Secret, for it may
            hold a password.
        store_url: the file store; empty: a folder in `data_dir`. Secret, for it may hold keys.
        data_dir: the folder of our own server's files and of the file store.
        retain_input_h: photos and clips are kept so long after the last tap of their draft, h.
        retain_result_h: results are kept so long after their delivery, h.
        min_free_gb: with less room than this, nothing is put into the file store, GB.
        open_orders_per_person: a person may have so many unfinished orders at a time.
        orders_per_day: a person may give so many orders within 24 hours.
        queue_limit: so many unfinished orders of all persons are taken.
        engine_load_timeout_s: an engine that is not ready after this time is killed, s.
        engine_frame_timeout_s: an engine that makes no frame for this time is killed, s.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        extra="ignore",  # a .env file may hold other programs' names; ours are checked in `load`
        # A variable that is set to nothing is how compose files say that it is not set.
        env_ignore_empty=True,
        hide_input_in_errors=True,  # it may be a secret
        populate_by_name=True,  # `Settings(redis_url=...)` must not be ignored in silence
    )

    templates_dir: Path = SHIPPED_TEMPLATES
    default_engine: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")] = "auto"
    clip_max_s: Annotated[float, Field(gt=0, le=600, allow_inf_nan=False)] = 15.0
    device: Annotated[str, StringConstraints(pattern=r"^(auto|cpu|mps|cuda(:\d{1,2})?)$")] = "auto"
    checkpoints_dir: Path = Path("checkpoints")
    weights_mirror: Annotated[str, StringConstraints(pattern=r"^(https?://[^\s/?#]\S*)?$")] = ""
    offline: bool = False
    redis_url: Annotated[
        SecretStr,
        _beginning_with("redis://", "rediss://", "unix://"),
        Field(validation_alias=_named_so("redis_url")),
    ] = SecretStr("")
    store_url: Annotated[
        SecretStr,
        _beginning_with("s3://", "file:///", "/", ".", "~"),
        Field(validation_alias=_named_so("store_url")),
    ] = SecretStr("")
    data_dir: Path = Path("data")
    retain_input_h: Annotated[float, Field(gt=0, le=8760, allow_inf_nan=False)] = 24.0
    retain_result_h: Annotated[float, Field(gt=0, le=8760, allow_inf_nan=False)] = 24.0
    min_free_gb: Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)] = 2.0
    open_orders_per_person: Annotated[int, Field(ge=1, le=10_000)] = 3
    orders_per_day: Annotated[int, Field(ge=1, le=100_000)] = 30
    queue_limit: Annotated[int, Field(ge=1, le=100_000)] = 500
    engine_load_timeout_s: Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)] = 300.0
    engine_frame_timeout_s: Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)] = 120.0

    @classmethod
    def load(cls, env_file: Path | None = None) -> Self:
        """The settings of the environment and, where those are silent, of a file.

        Args:
            env_file: lines NAME=value; it need not exist. None: the environment alone.

        Raises:
            BadSettings: an unknown `ANIMATO_...` name, a value that cannot be used, or a file that
                cannot be read.
        """
        try:
            from_file = dotenv_values(env_file) if env_file is not None else {}
        except (OSError, UnicodeDecodeError) as error:
            reason = f"{env_file} cannot be read as UTF-8 text."
            raise BadSettings(reason=reason) from error
        _refuse_unknown([*os.environ, *from_file])
        try:
            return cls(_env_file=env_file)  # type: ignore[call-arg]  # pydantic-settings' own argument
        except ValidationError as error:
            raise BadSettings(reason=_sentence(error.errors()[0])) from error


def variable_of(field: str) -> str:
    """The environment variable that sets a field."""
    return PREFIX + field.upper()


def _refuse_unknown(names: list[str]) -> None:
    """Nothing, if every name with our prefix is a setting: a slip of the pen must not be silent."""
    known = [variable_of(field) for field in Settings.model_fields]
    for name in names:
        if not name.upper().startswith(PREFIX) or name.upper() in known:
            continue
        nearest = difflib.get_close_matches(name.upper(), known, n=1)
        hint = f"did you mean {nearest[0]}?" if nearest else f"known are {', '.join(known)}."
        raise BadSettings(reason=f"There is no setting {name}: {hint}")


def _sentence(problem: ErrorDetails) -> str:
    """What is wrong with a value, naming its variable."""
    field = str(problem["loc"][0]).removeprefix(PREFIX).lower()
    message = problem["msg"][:1].lower() + problem["msg"][1:]
    if field in _TAKES:
        message = f"it takes {_TAKES[field]}"
    if field in _UNPREFIXED:
        return f"{variable_of(field)} (or {field.upper()}) cannot be used: {message}."
    return f"{variable_of(field)} is {problem['input']!r}: {message}."
