"""What the engines with neural networks have in common."""

from typing import TYPE_CHECKING, ClassVar

from inference.engine import Engine
from inference.engine_options import EngineOptions
from inference.extras import NEURAL_COMMAND, let_threads_sleep, missing_neural

if TYPE_CHECKING:
    from inference.weights.store import WeightsStore


class NetworkEngine(Engine):
    """An engine whose networks need torch and a driving clip, and a GPU to be fast.

    Attributes:
        preference_on_cpu: without a GPU; lower than that of engines without networks.
    """

    label = "Made with AI: a neural network animated the face"
    digital_source_type = (
        "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
    )
    evaluates_motions = False
    preference_on_cpu: ClassVar[int]

    def __init__(
        self, chosen: EngineOptions | None = None, weights: "WeightsStore | None" = None
    ) -> None:
        super().__init__(chosen, weights)
        # Must run before torch is imported.
        let_threads_sleep()

    @classmethod
    def preference_on(cls, device: str) -> int:
        """Return the preference on a device."""
        from inference.device import choose_device  # noqa: PLC0415 - it loads torch

        return cls.preference_on_cpu if choose_device(device).type == "cpu" else cls.preference

    @classmethod
    def unmet_needs(cls) -> tuple[str, ...]:
        """Return the extra `neural` if it is not installed."""
        return (f"the extra neural: {NEURAL_COMMAND}",) if missing_neural() else ()
