"""The setting `default_engine`."""

from collections.abc import Collection

from inference.engine_names import engine_names
from jobs.errors import BadSettings
from jobs.settings import Settings, variable_of


def check_default_engine(settings: Settings, advertised: Collection[str] = ()) -> None:
    """Raise unless the default engine is installed here or `advertised` by a worker.

    Raises:
        BadSettings: there is no such engine.
    """
    known = ("auto", *sorted({*engine_names(), *advertised}))
    if settings.default_engine not in known:
        variable = variable_of("default_engine")
        reason = f"{variable} is {settings.default_engine!r}: choose one of {', '.join(known)}."
        raise BadSettings(reason=reason)
