"""What an operator can set: environment variables named `ANIMATO_...`, or lines of a `.env` file.

The composition roots load the settings once and pass the values down; nothing else reads the
environment. `docs/configure.md` explains each of them.
"""

import difflib
import os
from pathlib import Path
from typing import Annotated, Self

from dotenv import dotenv_values
from pydantic import Field, StringConstraints, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from jobs.errors import BadSettings
from jobs.templates import SHIPPED_TEMPLATES

PREFIX = "ANIMATO_"

# Said of a wrong value where the validator's own words are no help.
_TAKES = {
    "default_engine": "the name of an engine (animato engines), or auto",
    "device": "auto, cpu, mps, cuda or, of several GPUs, cuda:1",
    "weights_mirror": "the beginning of an address, such as https://example.org/weights",
    "offline": "true or false",
}


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
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        extra="ignore",  # a .env file may hold other programs' names; ours are checked in `load`
        # A variable that is set to nothing is how compose files say that it is not set.
        env_ignore_empty=True,
    )

    templates_dir: Path = SHIPPED_TEMPLATES
    default_engine: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")] = "auto"
    clip_max_s: Annotated[float, Field(gt=0, le=600, allow_inf_nan=False)] = 15.0
    device: Annotated[str, StringConstraints(pattern=r"^(auto|cpu|mps|cuda(:\d{1,2})?)$")] = "auto"
    checkpoints_dir: Path = Path("checkpoints")
    weights_mirror: Annotated[str, StringConstraints(pattern=r"^(https?://[^\s/?#]\S*)?$")] = ""
    offline: bool = False

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
    field = str(problem["loc"][0])
    message = problem["msg"][:1].lower() + problem["msg"][1:]
    if field in _TAKES:
        message = f"it takes {_TAKES[field]}"
    return f"{variable_of(field)} is {problem['input']!r}: {message}."
