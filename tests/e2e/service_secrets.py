"""Secrets that tests give to the service, and the search for them in all that it says."""

from collections.abc import Mapping
from pathlib import Path

from sandbox.server import Sandbox

S3_SECRET = "the-secret-of-the-store"  # noqa: S105 - a test's
WEBHOOK_SECRET = "the_secret_of_the_webhook"  # noqa: S105 - a test's


def secrets_of(sandbox: Sandbox, data_dir: Path) -> dict[str, str]:
    """The secrets of a service by their names; of the token, the part that is secret.

    Args:
        sandbox: Telegram, which knows the token.
        data_dir: where the service keeps what it makes itself.
    """
    found = {
        "token": sandbox.token.partition(":")[2],
        "store": S3_SECRET,
        "webhook": WEBHOOK_SECRET,
    }
    password = data_dir / "redis" / "password.conf"
    if password.exists():
        found["password"] = password.read_text("utf-8").split()[1]
    for path in data_dir.glob("provenance/*"):
        text = path.read_text("utf-8", "replace")
        if "PRIVATE KEY" in text:
            found[path.name] = text.splitlines()[1]
    return found


def told(secrets: Mapping[str, str], *texts: str) -> set[str]:
    """Which of the secrets are in one of the texts."""
    return {name for name, secret in secrets.items() for text in texts if secret in text}
