"""The parameters of a request: from the query string, a form, JSON, or multipart."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from aiohttp import web

from sandbox.errors import bad_request, too_large
from sandbox.json_types import JsonObject

BODY_LIMIT_BYTES = 60 * 2**20
UPLOAD_LIMIT_BYTES = 50 * 2**20
NAME_LIMIT = 255
ATTACH = "attach://"


@dataclass(frozen=True)
class Upload:
    """A file of a multipart body; `part` is the name of its field."""

    part: str
    file_name: str
    content: bytes
    content_type: str

    def as_json(self) -> JsonObject:
        """Return names and size."""
        return {"name": self.part, "file_name": self.file_name, "size": len(self.content)}


@dataclass(frozen=True)
class Parameters:
    """Named values and uploads.

    Values may be JSON or text; the getters convert both, and raise `ApiError` (400) for the wrong
    type. A missing, empty or null value counts as not given.
    """

    values: Mapping[str, object]
    uploads: tuple[Upload, ...] = ()

    def text(self, name: str) -> str | None:
        """Return a string; other JSON values as their JSON text."""
        value = self.values.get(name)
        if value is None or value == "":
            return None
        return value if isinstance(value, str) else json.dumps(value)

    def integer(self, name: str) -> int | None:
        """Return an integer."""
        text = self.text(name)
        if text is None:
            return None
        try:
            return int(text)
        except ValueError:
            raise bad_request(f'parameter "{name}" must be an integer, not {text[:40]!r}') from None

    def number(self, name: str) -> float | None:
        """Return a finite number."""
        text = self.text(name)
        if text is None:
            return None
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if not abs(number) < float("inf"):
            raise bad_request(f'parameter "{name}" must be a number, not {text[:40]!r}')
        return number

    def boolean(self, name: str) -> bool:
        """Return whether it is `true`, `1`, `yes` or `on`."""
        return (self.text(name) or "").strip().lower() in {"true", "1", "yes", "on"}

    def json(self, name: str) -> object:
        """Return any JSON value."""
        value = self.values.get(name)
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            return value
        try:
            return _from_json(value)
        except (ValueError, RecursionError):
            raise bad_request(f"can't parse {name}: it is not JSON") from None

    def json_object(self, name: str) -> JsonObject | None:
        """Return a JSON object."""
        value = self.json(name)
        if value is not None and not isinstance(value, dict):
            raise bad_request(f"can't parse {name}: expected an Object")
        return value

    def array(self, name: str) -> list[object] | None:
        """Return a JSON array."""
        value = self.json(name)
        if value is not None and not isinstance(value, list):
            raise bad_request(f"can't parse {name}: expected an Array")
        return value

    def objects(self, name: str) -> list[JsonObject] | None:
        """Return a JSON array of objects."""
        values = self.array(name)
        if values is None:
            return None
        if not all(isinstance(value, dict) for value in values):
            raise bad_request(f"can't parse {name}: expected an Array of Objects")
        return cast("list[JsonObject]", values)

    def upload(self, name: str) -> Upload | None:
        """Return the file of this field."""
        return next((upload for upload in self.uploads if upload.part == name), None)

    def __iter__(self) -> Iterator[str]:
        return iter(self.values)


async def read_parameters(request: web.Request) -> Parameters:
    """Read a request; values of the body take precedence over the query string.

    Raises:
        ApiError: 413 when the body is too large, 400 when it cannot be read.
    """
    try:
        return await _read(request)
    except ConnectionResetError:
        raise bad_request("the request broke off") from None  # nobody reads this


async def _read(request: web.Request) -> Parameters:
    if (request.content_length or 0) > BODY_LIMIT_BYTES:
        raise too_large()
    values: dict[str, object] = dict(request.query)
    uploads: list[Upload] = []
    try:
        if request.content_type == "application/json":
            body = await request.read()
            return Parameters(values | (_json_body(body) if body else {}))
        for name, value in (await request.post()).items():
            if isinstance(value, web.FileField):
                content = value.file.read()
                uploads.append(
                    Upload(name, _file_name(value.filename), content, value.content_type)
                )
            else:
                values[name] = value if isinstance(value, str) else bytes(value).decode()
    except web.HTTPRequestEntityTooLarge:
        raise too_large() from None
    except (ValueError, LookupError, AssertionError, web.RequestPayloadError):
        # Malformed bodies, unknown charsets, broken encodings.
        raise bad_request("can't parse the body") from None
    if any(len(upload.content) > UPLOAD_LIMIT_BYTES for upload in uploads):
        raise too_large()
    return Parameters(values, tuple(uploads))


def _file_name(given: str) -> str:
    """Return the name without folders and control characters, at most 255 characters long."""
    # Browsers escape these three characters, and no others.
    for code, character in (("%22", '"'), ("%0D", " "), ("%0A", " ")):
        given = given.replace(code, character)
    name = "".join(c if c.isprintable() else " " for c in re.split(r"[/\\]", given)[-1]).strip()
    stem, dot, suffix = name.rpartition(".")
    kept = f"{stem[: NAME_LIMIT - len(suffix) - 1]}{dot}{suffix}" if stem else name
    return kept[:NAME_LIMIT] or "file"


def _json_body(body: bytes) -> JsonObject:
    try:
        given = _from_json(body)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise bad_request("can't parse the body: expected a JSON Object")
    return given


def _from_json(text: str | bytes) -> object:
    value: object = json.loads(text)
    # JSON can escape a lone surrogate, which is not valid text.
    json.dumps(value, ensure_ascii=False).encode()
    return value
