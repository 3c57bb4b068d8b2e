"""Which variables a child process gets."""

import pytest

from jobs.child_environment import ENGINE, SERVICE, STORES, child_environment

SECRETS = {
    "ANIMATO_BOT_TOKEN": "123:abcdef",
    "animato_redis_url": "redis://:password@host",
    "AWS_SECRET_ACCESS_KEY": "s3-secret",
    "REDIS_URL": "redis://:password@host",
    "SOMEBODY_ELSES_TOKEN": "other-secret",
}


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (SECRETS | {"HTTPS_PROXY": "http://proxy", "CUDA_HOME": "/cuda"}).items():
        monkeypatch.setenv(name, value)


def test_child_gets_no_variable_that_is_not_named() -> None:
    found = child_environment(LC_ALL="C.UTF-8")
    assert "PATH" in found
    assert found["LC_ALL"] == "C.UTF-8"
    assert found.keys() & {*SECRETS, "HTTPS_PROXY", "CUDA_HOME"} == set()


def test_engine_may_download_and_compute_but_gets_no_secret() -> None:
    found = child_environment(*ENGINE)
    assert found.keys() >= {"HTTPS_PROXY", "CUDA_HOME"}
    assert found.keys() & SECRETS.keys() == set()


def test_service_gets_our_settings_in_any_case_and_what_opens_the_stores() -> None:
    assert child_environment(*SERVICE, *STORES).keys() & SECRETS.keys() == (
        SECRETS.keys() - {"SOMEBODY_ELSES_TOKEN"}
    )
