"""`animato doctor`: check whether the service can run here, and what to do if not."""

import asyncio
import json
import platform
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pydantic import SecretStr

from animato.animate_settings import load_animate_settings
from inference.checks import (
    check_confinement,
    check_device,
    check_engines,
    check_faces,
    check_opencv,
    check_phones,
    check_templates,
    check_video,
    check_weights,
)
from inference.engine import find_engine, ready_engine
from inference.engine_names import engine_names
from inference.extras import NEURAL_COMMAND, missing_neural, need_extras
from inference.sample_videos import SampleVideo, write_samples
from jobs.check_results import CheckResult, State
from jobs.errors import (
    AnimatoError,
    BadSettings,
    EngineUnavailable,
    ExtraMissing,
    OperatorError,
    UnknownEngine,
)
from jobs.settings import Settings, variable_of

if TYPE_CHECKING:
    # From the extras, which may be missing.
    from bot.gateway.outgoing import OutgoingVideo
    from bot.gateway.round_trip import Trip


class NotReady(OperatorError):
    """A check that the service needs has failed."""

    sentence = "The service cannot run yet; fix first: {names}."


def run_doctor(*, is_live: bool, is_json: bool) -> None:
    """Check everything and print the results.

    Args:
        is_live: whether to contact Telegram, and send three files to the first admin.
        is_json: whether to print JSON.

    Raises:
        NotReady: the service cannot run; raised after everything was printed.
    """
    findings, trips = _all(is_live=is_live)
    if is_json:
        sys.stdout.write(_as_json(findings, trips))
    else:
        sys.stdout.write("".join(f"{line}\n" for line in (*_table(findings), *_trips(trips))))
    in_the_way = dict.fromkeys(one.about for one in findings if one.is_in_the_way)
    if in_the_way:
        raise NotReady(names=", ".join(in_the_way))


def _all(*, is_live: bool) -> tuple[list[CheckResult], "Sequence[Trip]"]:
    extras, video = tuple(_extras()), check_video()
    machine = [_python(), *extras, video, check_opencv(), check_confinement()]
    try:
        settings = Settings.load(Path(".env"))
        weights = load_animate_settings(is_quiet=True).weights
        needed = _needed_engines(settings)
    except AnimatoError as error:
        says = f"{error} Checks that depend on the settings were skipped."
        return [*machine, CheckResult("settings", State.WRONG, says, is_needed=True)], ()
    findings = [
        *machine,
        *_settings(settings),
        check_faces(weights),
        check_phones(),
        *check_engines(needed, weights),
        *check_device(settings.device, settings.engines),
        *check_weights(weights),
        *check_templates(settings.templates_dir),
    ]
    if any(one.is_in_the_way for one in extras):
        return findings, ()
    may_send = is_live and not video.is_in_the_way
    service, trips = asyncio.run(_service(settings, is_live=may_send))
    return [*findings, *service], trips


# --- this machine ---------------------------------------------------------------------------------


def _python() -> CheckResult:
    says = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return CheckResult("Python", State.OK, f"{says}, animato {version('animato')}", is_needed=True)


def _extras() -> Iterator[CheckResult]:
    for extra in ("service", "bot"):
        about = f"extra {extra}"
        try:
            need_extras("The service", extra)
        except ExtraMissing as error:
            yield CheckResult(about, State.MISSING, str(error), is_needed=True)
        else:
            yield CheckResult(about, State.OK, "installed", is_needed=True)
    missing = missing_neural()
    says = f"without {', '.join(missing)}: for network engines {NEURAL_COMMAND}"
    state = State.MISSING if missing else State.OK
    yield CheckResult("extra neural", state, says if missing else "installed")


def _needed_engines(settings: Settings) -> set[str]:
    """Return the engines that the settings name, or else the default one.

    Raises:
        BadSettings: one of them does not exist.
    """
    named = {*settings.engines, settings.default_engine} - {"auto"}
    try:
        for name in named:
            find_engine(name)
    except UnknownEngine as error:
        reason = f"{variable_of('engines')} cannot be used: {error}"
        raise BadSettings(reason=reason) from error
    if named:
        return named
    try:
        return {ready_engine("auto").name}
    except EngineUnavailable:
        return set(engine_names())


def _settings(settings: Settings) -> Iterator[CheckResult]:
    secrets, given = [], []
    for field in type(settings).model_fields:
        value = getattr(settings, field)
        is_given = field in settings.model_fields_set
        if isinstance(value, SecretStr):
            is_set = "set" if value.get_secret_value() else "not set"
            secrets.append(f"{variable_of(field)} {is_set}")
        elif is_given and "://" in str(value):
            given.append(f"{variable_of(field)} (an address)")  # it may contain a password
        elif is_given:
            text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            given.append(f"{variable_of(field)}={text}")
    says = f"valid; set are {', '.join(given)}" if given else "valid; all are the defaults"
    yield CheckResult("settings", State.OK, says, is_needed=True)
    yield CheckResult("secrets", State.OK, ", ".join(secrets))


# --- the service ----------------------------------------------------------------------------------


async def _service(
    settings: Settings, *, is_live: bool
) -> tuple[list[CheckResult], "Sequence[Trip]"]:
    """Check Redis, file store, workers, the bot's settings and, if live, Telegram."""
    # Here the extras are known to be installed.
    from animato.provenance import check_provenance  # noqa: PLC0415
    from bot.gateway.checks import check_access, check_live, check_token  # noqa: PLC0415
    from bot.languages import check_default  # noqa: PLC0415
    from bot.translations import translated_texts  # noqa: PLC0415
    from jobs.checks import (  # noqa: PLC0415
        check_metrics,
        check_queues,
        check_store,
        check_workers,
        queues_address,
    )
    from jobs.service_errors import FolderRefused, QueueError  # noqa: PLC0415

    token = check_token(settings)
    findings, admins = [token], list(settings.admins)
    try:
        check_default(settings.language, translated_texts())
    except BadSettings as error:
        findings.append(CheckResult.of("language", error))
    try:
        url = settings.redis_url.get_secret_value()
        async with queues_address(url, settings.data_dir) as url:
            findings += await check_queues(url)
            access, admins = await check_access(url, settings)
            findings += [*access, await check_workers(url)]
    except (BadSettings, QueueError, FolderRefused) as error:
        findings.append(CheckResult.of("queues", error))
    findings.append(await check_store(settings.store_address, settings.min_free_bytes))
    findings.append(check_metrics(settings.metrics_host, settings.metrics_port))
    findings.append(check_provenance(settings))
    if not is_live or token.is_in_the_way:
        return findings, ()
    with TemporaryDirectory(prefix="animato-") as folder:
        silent, with_sound = write_samples(Path(folder))
        live, trips = await check_live(settings, admins, _video(silent), _video(with_sound))
    return [*findings, *live], trips


def _video(sample: SampleVideo) -> "OutgoingVideo":
    from bot.gateway.outgoing import OutgoingVideo  # noqa: PLC0415

    return OutgoingVideo(
        media=sample.path,
        width=sample.side_px,
        height=sample.side_px,
        duration_s=sample.duration_s,
        has_sound=sample.has_sound,
        file_name=sample.path.name,
    )


# --- output ---------------------------------------------------------------------------------------


def _table(findings: Sequence[CheckResult]) -> Iterator[str]:
    width = max(len(one.about) for one in findings)
    for one in findings:
        yield f"{one.state:8} {one.about:{width}}  {one.says}"


def _trips(trips: "Sequence[Trip]") -> Iterator[str]:
    if not trips:
        return
    yield f"\n{'sent':10} {'came back':10} {'bytes':9} {'plays':>6} {'took':>7}"
    for trip in trips:
        are_same = "the same" if trip.is_same else "others"
        plays = "" if trip.came_back_s is None else f"{trip.came_back_s:g} s"
        took = f"{trip.took_s:.2f} s"
        yield f"{trip.sent:10} {trip.came_back:10} {are_same:9} {plays:>6} {took:>7}"


def _as_json(findings: Sequence[CheckResult], trips: "Sequence[Trip]") -> str:
    report = {
        "can_run": not any(one.is_in_the_way for one in findings),
        "findings": [asdict(one) for one in findings],
        "trips": [asdict(one) for one in trips],
    }
    return json.dumps(report, indent=2, ensure_ascii=False) + "\n"
