"""Addresses of file stores: what they lead to, and that they never tell their keys."""

import traceback
from pathlib import Path

import pytest
from obstore.store import LocalStore, S3Store

from jobs.errors import BadSettings
from jobs.service_errors import StoreUnavailable
from jobs.store.address import StoreTimeouts, open_address

PATIENCE = StoreTimeouts()


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "ENDPOINT_URL", "ENDPOINT", "REGION"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("url", ["{here}/a b", "file://{here}/a%20b", "./a b", "a b"])
def test_folder_is_made_for_us_alone(url: str, tmp_path: Path) -> None:
    found = open_address(url.format(here=tmp_path), PATIENCE)
    assert isinstance(found.store, LocalStore)
    assert found.folder == tmp_path / "a b"
    assert found.place == str(tmp_path / "a b")
    assert found.folder.stat().st_mode & 0o777 == 0o700


def test_folder_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir(mode=0o750)
    open_address(str(tmp_path / "mine"), PATIENCE)
    assert (tmp_path / "mine").stat().st_mode & 0o777 == 0o750


def test_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match=r"file/store cannot be used \(not a directory\)"):
        open_address(str(tmp_path / "file" / "store"), PATIENCE)


def test_bucket_takes_what_the_address_says() -> None:
    found = open_address(
        "s3://bucket/some/prefix/?endpoint=http://127.0.0.1:9000&region=eu-central-1"
        "&access_key_id=me&secret_access_key=a%26b+c/d=",
        PATIENCE,
    )
    assert isinstance(found.store, S3Store)
    assert (found.place, found.folder) == ("s3://bucket/some/prefix", None)
    assert found.store.prefix == "some/prefix"
    config = found.store.config
    assert config["endpoint"] == "http://127.0.0.1:9000"
    assert config["region"] == "eu-central-1"
    assert (config["access_key_id"], config["secret_access_key"]) == ("me", "a&b+c/d=")


def test_half_a_pair_of_keys_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    with pytest.raises(BadSettings, match=r"s3://bucket cannot be used: .*Missing AccessKeyId$"):
        open_address("s3://bucket", PATIENCE)


def test_keys_are_in_no_text() -> None:
    url = "s3://bucket/prefix?access_key_id=me&secret_access_key=hunter2"
    assert "hunter2" not in repr(open_address(url, PATIENCE))


@pytest.mark.parametrize(
    "url",
    [
        "s3://",
        "s3:///prefix",
        "s3://bucket/../hunter2",
        "s3://me:hunter2@bucket",
        "s3://bucket?secret=hunter2",
        "s3://bucket?endpoint=hunter2",
        "s3://bucket?secret_access_key=hunter2#more",
        "ftp://me:hunter2@example.org/folder",
        "file://hunter2/folder",
        "file:///folder?secret=hunter2",
    ],
)
def test_address_that_is_none_is_one_sentence_without_its_keys(url: str) -> None:
    with pytest.raises(BadSettings, match="ANIMATO_STORE_URL") as caught:
        open_address(url, PATIENCE)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert "hunter2" not in "".join(traceback.format_exception_only(caught.value))
