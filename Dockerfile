# Two images of one program; docs/containers.md says how to use them.
#
#   docker build --target bot --tag animato-bot .    talks to people on Telegram; has no torch
#   docker build --tag animato-worker .              makes the videos; prepare.py is in it too

FROM python:3.11-slim-bookworm AS python
# pip's own settings, for a mirror or for another build of torch: --build-arg PIP_EXTRA_INDEX_URL=...
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_NO_CACHE_DIR=1
ARG PIP_DISABLE_PIP_VERSION_CHECK=1
ARG PIP_ROOT_USER_ACTION=ignore
ENV PYTHONUNBUFFERED=1
WORKDIR /animato

# What each image asks for, without the code: a change of the code installs no library anew.
FROM python AS requirements
COPY pyproject.toml constraints.txt ./
RUN python3 - <<'END'
import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["project"]
extras = project["optional-dependencies"]
for name, wishes in {
    "service": project["dependencies"] + extras["service"],
    "bot": extras["bot"],
    "neural": extras["neural"],
}.items():
    Path(f"{name}.txt").write_text("\n".join(wishes), "utf-8")
END

# What comes into this one, .dockerignore says.
FROM python AS wheel
COPY constraints.txt ./
RUN pip install --constraint constraints.txt hatchling
COPY . .
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheels .

FROM python AS service
# The program writes nowhere but into these two folders.
RUN useradd --uid 1000 --create-home animato \
    && install --directory --owner animato --group animato data checkpoints
RUN --mount=type=bind,from=requirements,source=/animato,target=/requirements \
    pip install --constraint /requirements/constraints.txt --requirement /requirements/service.txt

FROM service AS bot
RUN --mount=type=bind,from=requirements,source=/animato,target=/requirements \
    pip install --constraint /requirements/constraints.txt --requirement /requirements/bot.txt
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    pip install --no-deps /wheels/*.whl
USER 1000
CMD ["animato", "bot"]

FROM service AS worker
# face-alignment alone, without what it asks for: that would put another OpenCV in the place of ours.
RUN --mount=type=bind,from=requirements,source=/animato,target=/requirements \
    pip install --constraint /requirements/constraints.txt --requirement /requirements/neural.txt \
    && pip install --constraint /requirements/constraints.txt --no-deps face-alignment
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    pip install --no-deps /wheels/*.whl
COPY prepare.py ./
USER 1000
CMD ["animato", "worker"]
