"""The model on its device: batches, memory, precision, and what it is run on."""

import logging
import threading
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra neural is not installed")

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from inference.device import choose_device
from inference.fomm.coordinates import KeypointTensors
from inference.fomm.dense_motion import DenseMotion
from inference.fomm.generator import EncodedSource, Generator
from inference.fomm.keypoint_detector import KeypointDetector
from inference.fomm.model import FommModel
from inference.motion import Keypoints, adapt_scale, normalise
from inference.neural.precision import choose_dtype, computes_in_bfloat16
from jobs.errors import DeviceUnavailable, EngineFailed
from tests.parity.golden_recipe import GOLDENS
from tests.parity.networks import TINY, config_of, difference, filled, networks

CPU = torch.device("cpu")
HAS_MPS = torch.backends.mps.is_available()
TOLERANCE = 5e-5


def tiny_model(dtype: torch.dtype = torch.float32) -> FommModel:
    tiny = networks("fomm_tiny")
    return FommModel(tiny.detector, tiny.generator, CPU, dtype)


def golden_keypoints(name: str) -> Keypoints:
    arrays = networks("fomm_tiny").arrays
    return Keypoints(arrays[f"{name}/value"], arrays[f"{name}/jacobian"])


def many(count: int) -> Keypoints:
    """The golden's normalised keypoints, again and again."""
    kp = golden_keypoints("rel_scale/kp_norm")
    assert kp.jacobian is not None
    order = np.arange(count) % len(kp)
    return Keypoints(kp.value[order], kp.jacobian[order])


# --- pictures in, pictures out --------------------------------------------------------------------


@pytest.mark.parametrize("name", TINY)
def test_every_variant_goes_the_whole_way(name: str) -> None:
    golden = networks(name)
    model = FommModel(golden.detector, golden.generator, CPU, torch.float32)
    source = model.source(golden.arrays["source"])
    driving = model.detect(golden.arrays["driving"])
    assert (driving.jacobian is None) == (name == "fomm_tiny_nojac")
    scale = adapt_scale(source.keypoints, driving[0])
    moved = normalise(source.keypoints, driving, driving[0], relative=True, scale=scale)
    frames = model.predict(source, moved)
    assert frames.dtype == np.float32
    assert frames.flags.c_contiguous
    expected = golden.arrays["rel_scale/prediction"].transpose(0, 2, 3, 1)
    assert difference(frames, expected) <= TOLERANCE


def test_model_finds_the_published_keypoints_of_vox_at_any_precision() -> None:
    vox = networks("fomm_vox")
    # Nothing is rendered, so any generator will do.
    small = networks("fomm_tiny").generator
    precise, rough = (
        FommModel(vox.detector, small, CPU, dtype).detect(vox.arrays["driving"])
        for dtype in (torch.float32, torch.bfloat16)
    )
    assert precise.jacobian is not None
    assert rough.jacobian is not None
    assert np.array_equal(precise.value, rough.value)
    assert np.array_equal(precise.jacobian, rough.jacobian)
    assert difference(precise.value, vox.arrays["kp_driving/value"]) <= 1e-5
    assert difference(precise.jacobian, vox.arrays["kp_driving/jacobian"]) <= 1e-5


@pytest.mark.parametrize("count", [1, 2, 8, 9, 17])
def test_batches_of_any_length(count: int) -> None:
    model = tiny_model()
    arrays = networks("fomm_tiny").arrays
    source, order = model.source(arrays["source"]), np.arange(count) % 6
    frames = model.predict(source, many(count))
    expected = arrays["rel_scale/prediction"].transpose(0, 2, 3, 1)[order]
    assert difference(frames, expected) <= TOLERANCE
    found = model.detect(arrays["driving"][order])
    assert difference(found.value, arrays["kp_driving/value"][order]) <= TOLERANCE


def test_levels_and_fractions_are_the_same_pictures() -> None:
    model = tiny_model()
    picture = networks("fomm_tiny").arrays["source"]
    sources = [
        model.source(picture),
        model.source(picture / 255),
        model.source(picture / np.float32(255)),
    ]
    assert all(np.array_equal(one.keypoints.value, sources[0].keypoints.value) for one in sources)
    assert all(torch.equal(one.encoded.features, sources[0].encoded.features) for one in sources)


def test_arrays_that_are_turned_mirrored_or_locked_are_taken_too() -> None:
    model = tiny_model()
    arrays = networks("fomm_tiny").arrays
    turned = np.asfortranarray(arrays["driving"])
    mirrored = arrays["driving"][:, :, ::-1].copy()[:, :, ::-1]
    locked = arrays["driving"].copy()
    locked.flags.writeable = False
    for pictures in (turned, mirrored, locked):
        assert difference(model.detect(pictures).value, arrays["kp_driving/value"]) <= TOLERANCE
    keypoints = many(2)
    keypoints.value.flags.writeable = False
    assert np.isfinite(model.predict(model.source(locked[0]), keypoints)).all()


# --- memory ---------------------------------------------------------------------------------------


class Cramped:
    """A device with room for so many pictures; whoever wants more gets its error."""

    def __init__(self, room: int, error: RuntimeError) -> None:
        self.room = room
        self.error = error

    def take(self, count: int) -> None:
        if count > self.room:
            raise self.error


class CrampedDetector(KeypointDetector):
    """A detector on such a device."""

    device: Cramped

    def forward(self, pictures: Tensor) -> KeypointTensors:
        self.device.take(len(pictures))
        return super().forward(pictures)


class CrampedGenerator(Generator):
    """A generator on such a device."""

    device: Cramped

    def motion(
        self, source: EncodedSource, source_kp: KeypointTensors, driving_kp: KeypointTensors
    ) -> DenseMotion:
        self.device.take(len(driving_kp.value))
        return super().motion(source, source_kp, driving_kp)


def cramped_model(room: int, error: RuntimeError) -> FommModel:
    golden = GOLDENS["fomm_tiny"]
    config = config_of(golden)
    detector, generator = CrampedDetector(config), CrampedGenerator(config)
    filled(detector, "kp_detector", golden.tag)
    filled(generator, "generator", golden.tag)
    detector.device = generator.device = Cramped(room, error)
    return FommModel(detector.eval(), generator.eval(), CPU, torch.float32)


LACKS = [
    torch.OutOfMemoryError("CUDA out of memory."),
    RuntimeError("MPS backend out of memory (MPS allocated: 8.96 GB)."),
]


@pytest.mark.parametrize("error", LACKS, ids=["cuda", "mps"])
def test_device_short_of_memory_halves_its_batch_and_goes_on(
    error: RuntimeError, caplog: pytest.LogCaptureFixture
) -> None:
    model, arrays = cramped_model(2, error), networks("fomm_tiny").arrays
    assert model.batch_size == 8
    source = model.source(arrays["source"])
    frames = model.predict(source, golden_keypoints("rel_scale/kp_norm"))
    expected = arrays["rel_scale/prediction"].transpose(0, 2, 3, 1)
    assert difference(frames, expected) <= TOLERANCE
    assert model.batch_size == 2
    told = [record.getMessage() for record in caplog.records]
    assert told == [
        "the device is out of memory: batch size is now 4",
        "the device is out of memory: batch size is now 2",
    ]
    # What it has learned it remembers.
    assert difference(model.predict(source, many(6)), expected) <= TOLERANCE
    assert len(caplog.records) == 2


def test_detector_short_of_memory_halves_its_batch_and_goes_on() -> None:
    model, arrays = cramped_model(3, LACKS[0]), networks("fomm_tiny").arrays
    found = model.detect(arrays["driving"])
    assert difference(found.value, arrays["kp_driving/value"]) <= TOLERANCE
    assert model.batch_size == 2


def test_device_without_room_for_one_picture_says_so() -> None:
    model = cramped_model(0, LACKS[0])
    with pytest.raises(EngineFailed, match="too little memory"):
        model.detect(networks("fomm_tiny").arrays["driving"])
    assert model.batch_size == 1


def test_other_errors_are_not_taken_for_lack_of_memory() -> None:
    model = cramped_model(2, RuntimeError("an illegal memory access was encountered"))
    with pytest.raises(RuntimeError, match="illegal"):
        model.detect(networks("fomm_tiny").arrays["driving"])
    assert model.batch_size == 8


# --- precision ------------------------------------------------------------------------------------


class Overflowing(Generator):
    """A generator that makes NaN in 16 bits: numbers overflow there, and are then subtracted."""

    def decode(self, features: Tensor) -> Tensor:
        prediction = super().decode(features)
        weights: dict[str, Any] = self.state_dict()
        if weights["final.weight"].dtype != torch.float32:
            prediction[-1, 0, 3, 3] = torch.nan
        return prediction


def overflowing_model(dtype: torch.dtype) -> FommModel:
    golden, config = GOLDENS["fomm_tiny"], config_of(GOLDENS["fomm_tiny"])
    generator = Overflowing(config).eval()
    filled(generator, "generator", golden.tag)
    return FommModel(networks("fomm_tiny").detector, generator, CPU, dtype)


def test_frame_that_is_not_a_number_brings_float32_once_and_for_good(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    model, arrays = overflowing_model(torch.bfloat16), networks("fomm_tiny").arrays
    source = model.source(arrays["source"])
    expected = arrays["rel_scale/prediction"].transpose(0, 2, 3, 1)
    for _ in range(2):
        frames = model.predict(source, golden_keypoints("rel_scale/kp_norm"))
        assert difference(frames, expected) <= TOLERANCE
    assert model.dtype == torch.float32
    told = [record.getMessage() for record in caplog.records]
    assert told == ["a frame in torch.bfloat16 is not finite: switching to float32"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_frame_that_is_not_a_number_in_float32_either_is_a_failure(dtype: torch.dtype) -> None:
    model = tiny_model(dtype)
    source = model.source(networks("fomm_tiny").arrays["source"])
    keypoints = many(2)
    keypoints.value[1] = np.nan
    with pytest.raises(EngineFailed, match="NaN or infinity"):
        model.render(source, keypoints)


def test_sound_frames_stay_in_the_precision_that_was_asked_for() -> None:
    model = tiny_model(torch.bfloat16)
    frames = model.predict(model.source(networks("fomm_tiny").arrays["source"]), many(3))
    assert model.dtype == torch.bfloat16
    expected = networks("fomm_tiny").arrays["rel_scale/prediction"].transpose(0, 2, 3, 1)[:3]
    assert TOLERANCE < difference(frames, expected) < 0.05


# --- the choice -----------------------------------------------------------------------------------


class Hardware:
    """A machine that has what it is told to have."""

    def __init__(
        self, *, cuda: bool = False, mps: bool = False, gpu: str = "", **capabilities: bool
    ) -> None:
        self.has = {"cuda": cuda, "mps": mps}
        self.gpu = gpu
        self.capabilities = capabilities

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: self.has["cuda"])
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: self.has["mps"])
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda _device: self.gpu)
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: self.capabilities, raising=False)


@pytest.mark.parametrize(
    ("hardware", "expected"),
    [
        (Hardware(cuda=True, mps=True), "cuda"),
        (Hardware(cuda=True), "cuda"),
        (Hardware(mps=True), "mps"),
        (Hardware(), "cpu"),
    ],
)
def test_best_device_is_chosen_unless_one_is_named(
    hardware: Hardware, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hardware.install(monkeypatch)
    assert choose_device("auto") == torch.device(expected)
    assert choose_device("cpu") == CPU


@pytest.mark.parametrize("name", ["cuda:99", "nonsense"] + ["mps"] * (not HAS_MPS))
def test_device_that_is_not_there_is_named_in_one_sentence(name: str) -> None:
    with pytest.raises(DeviceUnavailable) as caught:
        choose_device(name)
    assert f"device {name} is not available" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 350


@pytest.mark.parametrize(
    ("hardware", "device", "expected"),
    [
        (Hardware(avx512_bf16=True), "cuda", torch.float16),
        (Hardware(avx512_bf16=True), "mps", torch.float32),
        (Hardware(avx512_bf16=True), "cpu", torch.bfloat16),
        (Hardware(amx_bf16=True), "cpu", torch.bfloat16),
        (Hardware(avx512_bf16=False, avx2=True), "cpu", torch.float32),
        (Hardware(), "cpu", torch.float32),
    ],
)
def test_fastest_precision_of_the_device_is_chosen_unless_one_is_named(
    hardware: Hardware, device: str, expected: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    hardware.install(monkeypatch)
    assert choose_dtype("auto", torch.device(device)) == expected
    assert choose_dtype("float32", torch.device(device)) == torch.float32
    assert choose_dtype("bfloat16", torch.device(device)) == torch.bfloat16
    assert choose_dtype("float16", torch.device(device)) == torch.float16


@pytest.mark.parametrize("name", ["auto", "float16"])
def test_gpu_that_makes_black_frames_in_float16_computes_in_float32(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Hardware(gpu="NVIDIA GeForce GTX 1660 Ti").install(monkeypatch)
    assert choose_dtype(name, torch.device("cuda")) == torch.float32
    assert choose_dtype("bfloat16", torch.device("cuda")) == torch.bfloat16
    Hardware(gpu="NVIDIA GeForce RTX 4090").install(monkeypatch)
    assert choose_dtype(name, torch.device("cuda")) == torch.float16


def test_torch_that_does_not_tell_what_the_processor_can_is_not_asked_for_bfloat16(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert not computes_in_bfloat16()


# --- threads and types ----------------------------------------------------------------------------


class NoFloat64(TorchFunctionMode):
    """Refuses what Apple's GPUs refuse: numbers of 64 bits that are to be brought to a device."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__name__", "") == "to" and args[0].dtype == torch.float64:
            pytest.fail("float64 is brought to the device")
        return func(*args, **(kwargs or {}))


def test_squeezed_pictures_are_shortened_before_they_go_to_the_device() -> None:
    model, arrays = tiny_model(), networks("fomm_tiny").arrays
    squeezed = arrays["driving"] / 255
    assert squeezed.dtype == np.float64
    with NoFloat64():
        found = model.detect(squeezed)
    assert difference(found.value, arrays["kp_driving/value"]) <= TOLERANCE


def test_a_new_thread_computes_on_all_cores_after_pictures_were_decoded() -> None:
    model, arrays = tiny_model(), networks("fomm_tiny").arrays
    count = torch.get_num_threads()
    model.render(model.source(arrays["source"]), many(3))
    seen = []

    def work() -> None:
        model.detect(arrays["driving"])
        seen.append(torch.get_num_threads())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [count]


def test_a_batch_has_a_picture_for_each_core() -> None:
    model = tiny_model()
    assert model.batch_size >= 8
    assert model.batch_size % torch.get_num_threads() == 0


def test_pictures_one_by_one_are_those_of_a_batch() -> None:
    model, arrays = tiny_model(), networks("fomm_tiny").arrays
    source, keypoints = model.source(arrays["source"]), many(3)
    single = np.concatenate([model.predict(source, keypoints[index]) for index in range(3)])
    assert difference(single, model.predict(source, keypoints)) <= TOLERANCE
