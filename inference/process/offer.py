"""What a machine can do: the engines that run here and the device that networks get."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from inference.process.setup import EngineSetup
from jobs.engines import EngineInfo
from jobs.model import Value

if TYPE_CHECKING:
    from inference.weights.store import WeightsStore


class OfferedEngine(EngineInfo):
    """An engine that can run here.

    Attributes:
        missing_files: what it would download first, each with what to type; empty if nothing.
    """

    missing_files: tuple[str, ...] = ()

    def orderable(self, options: tuple[str, ...]) -> EngineInfo:
        """Return the engine as it is advertised, with the options that an order may use."""
        return EngineInfo(**self.model_dump(exclude={"missing_files"}) | {"options": options})


class EngineOffer(Value):
    """What a machine can do.

    Attributes:
        device: what networks compute on, such as `cpu` or `cuda:0`.
        engines: those whose needs are met.
    """

    device: str
    engines: tuple[OfferedEngine, ...]


def offer_of(setup: EngineSetup, names: Sequence[str] = ()) -> EngineOffer:
    """Return the engines whose needs are met on this machine, and the device of networks.

    Args:
        setup: where weights are, and the requested device.
        names: the wanted engines, in their order; if empty, all whose needs are met.

    Raises:
        UnknownEngine, EngineUnavailable: a wanted one cannot run here.
        DeviceUnavailable: the device of the setup does not exist, and one of the engines uses it.
    """
    # Imported late: the parent, which needs only the values above, loads no picture library.
    from inference.engine import find_engine, ready_engine  # noqa: PLC0415
    from inference.engine_names import engine_names  # noqa: PLC0415
    from inference.engine_options import EngineOptions  # noqa: PLC0415

    weights = weights_of(setup)
    options = EngineOptions(device=setup.device)
    if names:
        able = list(dict.fromkeys(ready_engine(name, options, weights) for name in names))
    else:
        able = [engine for engine in map(find_engine, engine_names()) if not engine.unmet_needs()]
    device = "cpu"
    if any("device" in engine.options for engine in able):
        device = _device_name(setup.device)
    return EngineOffer(
        device=device,
        engines=tuple(
            OfferedEngine(
                **engine.info().model_dump() | {"preference": engine.preference_on(device)},
                missing_files=engine.missing_files(options, weights),
            )
            for engine in able
        ),
    )


def weights_of(setup: EngineSetup) -> "WeightsStore":
    """Return the store of weights that the setup describes."""
    from inference.weights.store import WeightsStore  # noqa: PLC0415

    return WeightsStore(
        setup.checkpoints_dir,
        mirror=setup.weights_mirror,
        is_offline=setup.is_offline,
        shows_progress=False,
    )


def _device_name(requested: str) -> str:
    # Imported late: it loads torch, which takes seconds, and is not there without the extra.
    from inference.device import choose_device  # noqa: PLC0415

    device = choose_device(requested)
    # The number distinguishes two workers on one machine.
    return "cuda:0" if str(device) == "cuda" else str(device)
