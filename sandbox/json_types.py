"""The shape of everything that goes through this server."""

from typing import Any, TypeAlias

# A JSON object: a request's parameters, an answer, one of Telegram's objects.
JsonObject: TypeAlias = dict[str, Any]
