"""The device that networks compute on."""

import torch

from jobs.errors import DeviceUnavailable


def choose_device(name: str) -> torch.device:
    """Return the device of that name; `auto` is cuda, else mps, else cpu.

    Raises:
        DeviceUnavailable: it does not exist.
    """
    if name != "auto":
        try:
            return torch.empty(1, device=name).device
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            # The rest of torch's message lists all backends.
            reason = str(error).partition("\n")[0].partition(". ")[0] or "torch refuses it"
            raise DeviceUnavailable(name=name, reason=reason) from error
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")
