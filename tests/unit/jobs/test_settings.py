"""The settings: where they come from, and that a slip of the pen is never silent."""

import os
import traceback
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from jobs.errors import BadSettings
from jobs.settings import BOT_SECRETS, Settings
from jobs.templates import SHIPPED_TEMPLATES


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.upper().startswith("ANIMATO_") or name.upper() in ("REDIS_URL", "STORE_URL"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_without_any_variable_the_defaults_hold() -> None:
    settings = Settings.load()
    assert settings.templates_dir == SHIPPED_TEMPLATES
    assert settings.default_engine == "auto"
    assert settings.clip_max_s == 15
    assert (settings.device, settings.checkpoints_dir) == ("auto", Path("checkpoints"))
    assert (settings.weights_mirror, settings.offline) == ("", False)


def test_settings_of_weights_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANIMATO_DEVICE", "cuda:1")
    monkeypatch.setenv("ANIMATO_CHECKPOINTS_DIR", "elsewhere")
    monkeypatch.setenv("ANIMATO_WEIGHTS_MIRROR", "https://example.org/weights")
    monkeypatch.setenv("ANIMATO_OFFLINE", "1")
    settings = Settings.load()
    assert (settings.device, settings.checkpoints_dir) == ("cuda:1", Path("elsewhere"))
    assert (settings.weights_mirror, settings.offline) == ("https://example.org/weights", True)


def test_engines_are_a_list_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings.load().engines == ()
    monkeypatch.setenv("ANIMATO_ENGINES", "fomm, mesh")
    assert Settings.load().engines == ("fomm", "mesh")
    assert Settings(engines=("still",)).engines == ("still",)


def test_settings_of_the_service_have_their_defaults() -> None:
    settings = Settings.load()
    assert settings.redis_url.get_secret_value() == settings.store_url.get_secret_value() == ""
    assert settings.data_dir == Path("data")
    assert (settings.retain_input_h, settings.retain_result_h) == (24, 24)
    assert settings.min_free_gb == 2
    assert settings.visible_mark


@pytest.mark.parametrize("name", ["REDIS_URL", "STORE_URL"])
def test_names_that_other_programs_use_are_understood_and_ours_comes_first(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    field, value = name.lower(), "redis://" if name == "REDIS_URL" else "s3://"
    monkeypatch.setenv(name, f"{value}theirs")
    assert getattr(Settings.load(), field).get_secret_value() == f"{value}theirs"
    monkeypatch.setenv(f"ANIMATO_{name}", f"{value}ours")
    assert getattr(Settings.load(), field).get_secret_value() == f"{value}ours"
    monkeypatch.setenv(f"ANIMATO_{name}", "")
    assert getattr(Settings.load(), field).get_secret_value() == f"{value}theirs"


def test_address_given_by_its_field_name_is_taken() -> None:
    settings = Settings(redis_url="redis://here")  # type: ignore[arg-type]  # it is made a secret
    assert settings.redis_url.get_secret_value() == "redis://here"


@pytest.mark.parametrize("name", ["ANIMATO_REDIS_URL", "REDIS_URL", "ANIMATO_STORE_URL"])
def test_secret_of_an_address_is_in_no_error(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "http://:hunter2@example.org")
    with pytest.raises(BadSettings, match=name) as caught:
        Settings.load()
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_secret_of_an_address_is_in_no_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANIMATO_REDIS_URL", "redis://:hunter2@example.org")
    assert "hunter2" not in repr(Settings.load())


def test_variable_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANIMATO_CLIP_MAX_S", "7.5")
    monkeypatch.setenv("ANIMATO_TEMPLATES_DIR", "mine")
    settings = Settings.load()
    assert settings.clip_max_s == 7.5
    assert settings.templates_dir == Path("mine")


def test_variable_that_is_set_to_nothing_counts_as_not_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANIMATO_CLIP_MAX_S", "")
    assert Settings.load().clip_max_s == 15


def test_file_is_read_only_when_asked_and_the_environment_comes_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("ANIMATO_CLIP_MAX_S=3\nANIMATO_DEFAULT_ENGINE=still\nOTHER=1\n", "utf-8")
    assert Settings.load().clip_max_s == 15
    assert Settings.load(env_file).clip_max_s == 3
    monkeypatch.setenv("ANIMATO_CLIP_MAX_S", "4")
    settings = Settings.load(env_file)
    assert (settings.clip_max_s, settings.default_engine) == (4, "still")


def test_file_that_does_not_exist_is_no_error(tmp_path: Path) -> None:
    assert Settings.load(tmp_path / ".env").clip_max_s == 15


def test_unknown_name_is_told_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANIMATO_CLIPMAX_S", "7")
    with pytest.raises(BadSettings, match="ANIMATO_CLIPMAX_S: did you mean ANIMATO_CLIP_MAX_S"):
        Settings.load()


def test_unknown_name_in_the_file_is_told_too(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("ANIMATO_XYZZY=1\n", "utf-8")
    with pytest.raises(BadSettings, match=r"ANIMATO_XYZZY.*ANIMATO_CLIP_MAX_S"):
        Settings.load(env_file)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ANIMATO_CLIP_MAX_S", "long"),
        ("ANIMATO_CLIP_MAX_S", "0"),
        ("ANIMATO_CLIP_MAX_S", "nan"),
        ("ANIMATO_CLIP_MAX_S", "1e9"),
        ("ANIMATO_DEFAULT_ENGINE", "../mesh"),
        ("ANIMATO_ENGINES", "mesh;fomm"),
        ("ANIMATO_DEVICE", "gpu"),
        ("ANIMATO_DEVICE", "cuda:x"),
        ("ANIMATO_WEIGHTS_MIRROR", "ftp://example.org"),
        ("ANIMATO_WEIGHTS_MIRROR", "https:///weights"),
        ("ANIMATO_OFFLINE", "perhaps"),
        ("ANIMATO_MESSAGES_PER_SECOND", "0"),
        ("ANIMATO_MESSAGES_PER_SECOND", "1001"),
    ],
)
def test_bad_value_is_one_sentence_with_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadSettings) as caught:
        Settings.load()
    assert name in str(caught.value)
    assert value in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "takes"),
    [
        ("ANIMATO_DEVICE", "tpu", "auto, cpu, mps, cuda"),
        ("ANIMATO_WEIGHTS_MIRROR", "ftp://x", "https://example.org/weights"),
        ("ANIMATO_OFFLINE", "maybe", "true or false"),
        ("ANIMATO_TRY_IT_BUTTON", "maybe", "true or false"),
        ("ANIMATO_DEFAULT_ENGINE", "no engine", "animato engines"),
        ("ANIMATO_ENGINES", "mesh,", "such as fomm,mesh"),
    ],
)
def test_bad_value_is_told_in_plain_words_what_is_taken(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, takes: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadSettings) as caught:
        Settings.load()
    assert takes in str(caught.value)
    assert "pattern" not in str(caught.value)


def test_unreadable_file_is_one_sentence(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_bytes(b"ANIMATO_CLIP_MAX_S=\xff\n")
    with pytest.raises(BadSettings, match=r"cannot be read as UTF-8 text\.$"):
        Settings.load(env_file)


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings.load().clip_max_s = 1


def test_process_that_is_to_know_no_secret_knows_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ANIMATO_WEBHOOK_SECRET", "secret")
    (tmp_path / ".env").write_text("ANIMATO_BOT_TOKEN=4242:abc\nANIMATO_OFFLINE=1\n")
    settings = Settings.load(Path(".env"), without=BOT_SECRETS)
    assert settings.bot_token.get_secret_value() == settings.webhook_secret.get_secret_value() == ""
    assert settings.offline
    assert Settings.load(Path(".env")).bot_token.get_secret_value() == "4242:abc"


def test_file_store_is_in_the_data_folder_unless_it_is_named() -> None:
    assert Settings().store_address == str(Path("data") / "files")
    assert Settings(store_url=SecretStr("s3://there")).store_address == "s3://there"
    assert Settings(min_free_gb=0.5).min_free_bytes == 500_000_000
