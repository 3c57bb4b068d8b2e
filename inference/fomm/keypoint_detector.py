"""The keypoint detector: K points of a face and the local affine frame at each of them."""

from torch import Tensor, nn

from inference.fomm.blocks import AntiAliasDownsampling, heads
from inference.fomm.config import FommConfig
from inference.fomm.coordinates import KeypointTensors, coordinate_grid
from inference.neural.blocks import Hourglass


class KeypointDetector(nn.Module):
    """Pictures (B, 3, H, W) float32 in [0, 1] -> keypoints in [-1, 1].

    The keypoints are expectations under a softmax ("soft argmax"). Their -1 and 1 are the border of
    the unpadded convolution's output (58 x 58 for 256 px), not of the picture.
    """

    def __init__(self, config: FommConfig) -> None:
        super().__init__()
        common, own = config.common_params, config.kp_detector_params
        self.num_kp = common.num_kp
        self.temperature = own.temperature
        self.predictor = Hourglass(
            own.block_expansion, common.num_channels, own.num_blocks, own.max_features
        )
        features = self.predictor.out_features
        self.kp = nn.Conv2d(features, self.num_kp, kernel_size=7, padding=own.pad)
        self.jacobian: nn.Conv2d | None = None
        if common.estimate_jacobian:
            self.jacobian_maps = 1 if own.single_jacobian_map else self.num_kp
            self.jacobian = nn.Conv2d(
                features, 4 * self.jacobian_maps, kernel_size=7, padding=own.pad
            )
        self.down: nn.Module = nn.Identity()
        if own.scale_factor != 1:
            self.down = AntiAliasDownsampling(common.num_channels, own.scale_factor)

    def forward(self, pictures: Tensor) -> KeypointTensors:
        """See the class."""
        features = self.predictor(self.down(pictures))
        logits, jacobian_maps = heads(features, self.kp, self.jacobian)
        batch, _, height, width = logits.shape
        weights = (logits.flatten(2) / self.temperature).softmax(dim=2)
        grid = coordinate_grid(height, width, logits).view(height * width, 2)
        value = weights @ grid
        if jacobian_maps is None:
            return KeypointTensors(value, None)
        maps = jacobian_maps.reshape(batch, self.jacobian_maps, 4, height * width)
        jacobian = (weights[:, :, None] * maps).sum(-1)
        return KeypointTensors(value, jacobian.view(batch, self.num_kp, 2, 2))
