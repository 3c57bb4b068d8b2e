"""Fill networks with weights; all keys must match."""

from torch import Tensor, nn

# Keys that may be missing: a fixed kernel, and a counter of training steps.
_OPTIONAL = ("down.weight", "num_batches_tracked")


def misfit(network: nn.Module, weights: dict[str, Tensor], whole: str) -> tuple[str, str] | None:
    """Return the first key that does not match and what is wrong with it; None if all match.

    Args:
        network: to be filled.
        weights: by key.
        whole: what the network belongs to, for the sentence.
    """
    own = network.state_dict()
    for key in sorted(own.keys() | weights.keys()):
        if key not in weights:
            if not key.endswith(_OPTIONAL):
                return key, "is missing in it"
        elif key not in own:
            return key, f"has no place in {whole}"
        elif own[key].shape != weights[key].shape:
            shapes = [" x ".join(map(str, tensor.shape)) for tensor in (weights[key], own[key])]
            return key, f"is {shapes[0]} in it and {shapes[1]} in {whole}"
    return None
