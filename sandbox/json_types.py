"""The type of JSON objects."""

from typing import Any, TypeAlias

JsonObject: TypeAlias = dict[str, Any]
