"""Write `bot.txt` and `worker.txt`, the requirements of each image, for the Dockerfile.

They come from `pyproject.toml`. The bot image leaves out the libraries that are listed there under
`[tool.animato]`, because the bot handles no pictures.
"""

import re
import tomllib
from pathlib import Path


def main() -> None:
    """Read `pyproject.toml` in the current folder, and write both lists beside it."""
    pyproject = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))
    base = pyproject["project"]["dependencies"]
    extras = pyproject["project"]["optional-dependencies"]
    left_out = set(pyproject["tool"]["animato"]["not-in-bot-image"])
    bot = [one for one in base + extras["service"] if _name(one) not in left_out] + extras["bot"]
    Path("bot.txt").write_text("\n".join(bot), "utf-8")
    Path("worker.txt").write_text("\n".join(base + extras["service"] + extras["neural"]), "utf-8")


def _name(requirement: str) -> str:
    """Return the package name of a requirement."""
    return re.split(r"[<>=!~\[; ]", requirement, maxsplit=1)[0]


if __name__ == "__main__":
    main()
