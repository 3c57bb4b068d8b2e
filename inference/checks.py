"""Checks of what rendering needs: video, OpenCV, engines, weights, voices, movements."""

from collections.abc import Collection
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2

from inference.engine import find_engine
from inference.engine_names import engine_names
from inference.engine_options import EngineOptions
from inference.faces.loading import landmarker, model_path
from inference.opencv_build import gui_opencv_warning
from inference.process.confinement import working_mechanisms
from inference.sample_videos import write_samples
from inference.template_build import is_up_to_date
from inference.voice.phones import has_phones
from inference.weights.store import WeightsStore
from jobs.check_results import CheckResult, State
from jobs.errors import AnimatoError, DeviceUnavailable
from jobs.templates import Catalogue


def check_video() -> CheckResult:
    """Check that ffmpeg is installed and writes H.264 and AAC."""
    about = "ffmpeg"
    try:
        with TemporaryDirectory(prefix="animato-") as folder:
            write_samples(Path(folder))
    except AnimatoError as error:
        return CheckResult.of(about, error)
    return CheckResult(about, State.OK, "writes H.264 and AAC", is_needed=True)


def check_opencv() -> CheckResult:
    """Check which build of OpenCV is loaded; it also draws all numbers and letters."""
    about = "OpenCV, fonts"
    warning = gui_opencv_warning()
    if warning is not None:
        return CheckResult(about, State.WRONG, warning)
    return CheckResult(
        about, State.OK, f"{cv2.__version__}; it draws numbers itself, without fonts"
    )


def check_confinement() -> CheckResult:
    """Check what confines the processes that decode people's files."""
    about = "confinement"
    if found := working_mechanisms():
        says = f"people's files are decoded without other files and network, by {', '.join(found)}"
        return CheckResult(about, State.OK, says)
    says = "this system has neither Landlock nor seccomp (docs/security.md)"
    return CheckResult(about, State.MISSING, says)


def check_engines(needed: Collection[str], weights: WeightsStore) -> list[CheckResult]:
    """Check each engine that people may be offered.

    Args:
        needed: the engines that the settings name.
        weights: the store of weights.
    """
    findings = []
    for name in engine_names():
        engine = find_engine(name)
        if not engine.preference and name not in needed:
            continue  # never offered
        needs = (*engine.unmet_needs(), *engine.missing_files(EngineOptions(), weights))
        state = State.MISSING if needs else State.OK
        says = f"it needs {'; '.join(needs)}" if needs else "ready"
        findings.append(CheckResult(f"engine {name}", state, says, is_needed=name in needed))
    return findings


def check_device(name: str, offered: Collection[str]) -> list[CheckResult]:
    """Check the device that the settings name, if an engine uses it.

    Args:
        name: of the device.
        offered: the engines that the settings name; empty, or with `auto`: all that can run.
    """
    names = engine_names() if not offered or "auto" in offered else offered
    able = [one for one in map(find_engine, names) if not one.unmet_needs()]
    if name == "auto" or not any("device" in engine.options for engine in able):
        return []
    from inference.device import choose_device  # noqa: PLC0415 - it loads torch

    try:
        return [CheckResult("device", State.OK, str(choose_device(name)))]
    except DeviceUnavailable as error:
        return [CheckResult.of("device", error)]


def check_weights(weights: WeightsStore) -> list[CheckResult]:
    """Check which known weights are there; nothing is hashed (`animato weights verify` does)."""
    there = []
    for wanted in weights.catalogue.files:
        state = weights.state_of(wanted)
        if state != "not there":
            there.append(f"{wanted.name} is {state}")
    if not there:
        says = f"none in {weights.folder}; only network engines need any"
        return [CheckResult("weights", State.OK, says)]
    return [CheckResult("weights", State.OK, "; ".join(there))]


def check_faces(weights: WeightsStore) -> CheckResult:
    """Check that faces can be found: the landmark network's library and file."""
    about = "faces"
    try:
        path = model_path(weights.folder)
        landmarker(weights.folder)
    except AnimatoError as error:
        return CheckResult.of(about, error)
    says = f"found with ai-edge-litert {version('ai-edge-litert')} and {path}"
    return CheckResult(about, State.OK, says, is_needed=True)


def check_phones() -> CheckResult:
    """Check whether voices are heard well enough to shut the lips on m, b and p."""
    about = "phones"
    if has_phones():
        says = f"recognised with pocketsphinx {version('pocketsphinx')}, in voice messages"
        return CheckResult(about, State.OK, says)
    says = (
        "not recognised without pocketsphinx: faces speak by loudness alone, and do not shut their "
        "lips on m, b and p. Run `.venv/bin/pip install -c constraints.txt --only-binary :all: "
        "pocketsphinx`; some systems and versions of Python have no build of it"
    )
    return CheckResult(about, State.MISSING, says)


def check_templates(folder: Path) -> list[CheckResult]:
    """Check the catalogue of movements: what is broken, and what has to be built."""
    about = "movements"
    catalogue = Catalogue.load(folder)
    is_empty = not catalogue.templates
    findings = [
        CheckResult(about, State.WRONG, str(fault), is_needed=is_empty)
        for fault in catalogue.broken
    ]
    if is_empty and not findings:
        findings.append(
            CheckResult(about, State.MISSING, f"there is none in {folder}", is_needed=True)
        )
    stale = [one.name for one in catalogue if not is_up_to_date(one, folder)]
    if stale:
        says = f"{', '.join(stale)} out of date: run `animato templates build`"
        findings.append(CheckResult(about, State.WRONG, says))
    if not findings:
        findings.append(
            CheckResult(about, State.OK, f"{len(catalogue)}, all usable", is_needed=True)
        )
    return findings
