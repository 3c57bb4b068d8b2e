"""The precision that the convolutions of a network compute in."""

import logging
from collections.abc import Mapping

import torch

log = logging.getLogger(__name__)

DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


def choose_dtype(name: str, device: torch.device) -> torch.dtype:
    """Return the dtype of that name; `auto` is the fastest one without visible differences.

    That is float16 on cuda, bfloat16 on a CPU with native support, otherwise float32. The GPUs
    named GTX 16xx make black frames in float16, so they never compute in it.
    """
    if device.type == "cuda" and name in ("auto", "float16"):
        if "GTX 16" not in torch.cuda.get_device_name(device):
            return torch.float16
        if name == "float16":
            log.warning("float16 gives black frames on this GPU: computing in float32")
        return torch.float32
    if name != "auto":
        if name == "float16" and device.type == "cpu":
            log.warning("float16 is very slow on a CPU: float32 is faster")
        return DTYPES[name]
    if device.type == "cpu" and computes_in_bfloat16():
        return torch.bfloat16
    return torch.float32


def computes_in_bfloat16() -> bool:
    """Return whether this CPU has bfloat16 instructions; emulation is slow."""
    # Missing in older versions of torch.
    capabilities: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
