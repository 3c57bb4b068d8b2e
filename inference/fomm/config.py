"""The networks' configuration, read from a published YAML file.

Only `model_params` is used; the parameters of training and data sets are ignored.
"""

from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from jobs.errors import BrokenConfig, FileMissing
from jobs.yaml_lines import load_yaml

# The size of pictures in all published configs.
SIDE_PX = 256
# Its usual path in commands, its path in the program, and the file name of its weights.
USUAL_CONFIG = Path("config/vox-256.yaml")
SHIPPED_CONFIG = Path(__file__).resolve().parents[2] / USUAL_CONFIG
CHECKPOINT = "vox-cpk.pth.tar"

Count = Annotated[int, Field(ge=1, le=64)]
Width = Annotated[int, Field(ge=1, le=8192)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
# A smaller scale would leave fewer than 8 px: a 7 x 7 convolution without padding needs 8 for a
# grid of 2.
Scale = Annotated[float, Field(ge=1 / 32, le=1)]


class _Params(BaseModel):
    """Frozen; unknown names are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _ConvolutionParams(_Params):
    """Channels of the first layer, and the maximum of all layers."""

    block_expansion: Width
    max_features: Width

    @model_validator(mode="after")
    def _first_layer_has_no_more_than_the_most(self) -> Self:
        if self.block_expansion > self.max_features:
            message = (
                f"a block_expansion of {self.block_expansion}"
                f" is more than max_features, {self.max_features}"
            )
            raise ValueError(message)
        return self


class _HourglassParams(_ConvolutionParams):
    """The parameters of an hourglass.

    It downsamples the picture, then halves it repeatedly. Skip connections need maps of the same
    size, so every division must be exact.
    """

    num_blocks: Annotated[int, Field(ge=1, le=8)]
    scale_factor: Scale = 1.0

    @model_validator(mode="after")
    def _picture_can_be_divided(self) -> Self:
        scale = self.scale_factor
        step = round(1 / scale)
        if step * scale != 1:
            message = f"a scale_factor of {scale} is not one over a whole number"
            raise ValueError(message)
        if SIDE_PX % step != 0:
            message = f"a scale_factor of {scale} does not divide {SIDE_PX} px evenly"
            raise ValueError(message)
        side_px = SIDE_PX // step
        if side_px % 2**self.num_blocks != 0:
            message = f"{side_px} px cannot be halved evenly by num_blocks = {self.num_blocks}"
            raise ValueError(message)
        return self


class CommonParams(_Params):
    """Parameters of both networks."""

    num_kp: Count
    num_channels: Annotated[int, Field(ge=3, le=3)] = 3
    estimate_jacobian: bool = True


class KeypointDetectorParams(_HourglassParams):
    """Parameters of the keypoint detector."""

    temperature: Positive
    single_jacobian_map: bool = False
    pad: Annotated[int, Field(ge=0, le=3)] = 0


class DenseMotionParams(_HourglassParams):
    """Parameters of the dense motion network."""

    kp_variance: Positive = 0.01


class GeneratorParams(_ConvolutionParams):
    """Parameters of the generator."""

    # Six leave 4 px, and Winograd convolutions need a multiple of 4.
    num_down_blocks: Annotated[int, Field(ge=1, le=6)]
    num_bottleneck_blocks: Annotated[int, Field(ge=0, le=64)]
    estimate_occlusion_map: bool = False
    dense_motion_params: DenseMotionParams


class FommConfig(_Params):
    """A config's `model_params`."""

    common_params: CommonParams
    kp_detector_params: KeypointDetectorParams
    generator_params: GeneratorParams

    @classmethod
    def load(cls, path: Path) -> "FommConfig":
        """Read a YAML file.

        Raises:
            FileMissing: there is no such file.
            BrokenConfig: it is not YAML, lacks a parameter or has an invalid value.
        """
        try:
            data = load_yaml(path.read_text("utf-8"))
        except (FileNotFoundError, IsADirectoryError) as error:
            raise FileMissing(name=str(path)) from error
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise BrokenConfig(file=path.name, reason="it cannot be read as YAML text") from error
        if not isinstance(data, dict) or not isinstance(data.get("model_params"), dict):
            raise BrokenConfig(file=path.name, reason="model_params is missing")
        try:
            return cls.model_validate(data["model_params"])
        except ValidationError as error:
            problem = error.errors()[0]
            place = ".".join(str(part) for part in ("model_params", *problem["loc"]))
            message = problem["msg"].removeprefix("Value error, ")
            reason = f"{place}: {message[:1].lower()}{message[1:]}"
            raise BrokenConfig(file=path.name, reason=reason) from error
