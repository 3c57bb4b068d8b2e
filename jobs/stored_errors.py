"""Read errors back from JSON."""

from typing import Any

from jobs import errors, service_errors
from jobs.errors import AnimatoError

_CLASSES = {
    name: kind
    for module in (errors, service_errors)
    for name, kind in vars(module).items()
    if isinstance(kind, type) and issubclass(kind, AnimatoError)
}


def error_from_dict(data: dict[str, Any]) -> AnimatoError:
    """Return the error that `AnimatoError.to_dict` wrote.

    Raises:
        KeyError: `data` names no error of ours, or a field of its sentence is missing.
    """
    return _CLASSES[data["error"]](**data["fields"])
