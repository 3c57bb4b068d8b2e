# Two images of one program; docs/containers.md says how to use them.
#
#   docker build --target bot --tag animato-bot .    talks to people on Telegram; has no picture libraries
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
COPY pyproject.toml constraints.txt image_requirements.py ./
RUN python3 image_requirements.py

# What comes into this one, .dockerignore says.
FROM python AS wheel
COPY constraints.txt ./
RUN pip install --constraint constraints.txt hatchling
COPY . .
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheels .

FROM python AS program
# The program writes nowhere but into these two folders, and into /tmp.
RUN useradd --uid 1000 --create-home animato \
    && install --directory --owner animato --group animato data checkpoints

FROM program AS bot
COPY --from=requirements /animato/bot.txt /animato/constraints.txt /requirements/
RUN pip install --constraint /requirements/constraints.txt --requirement /requirements/bot.txt
COPY --from=wheel /wheels /wheels
RUN pip install --no-deps /wheels/*.whl
USER 1000
CMD ["animato", "bot"]

FROM program AS worker
COPY --from=requirements /animato/worker.txt /animato/constraints.txt /requirements/
# face-alignment alone, without what it asks for: that would put another OpenCV in the place of ours.
RUN pip install --constraint /requirements/constraints.txt --requirement /requirements/worker.txt \
    && pip install --constraint /requirements/constraints.txt --no-deps face-alignment
COPY --from=wheel /wheels /wheels
RUN pip install --no-deps /wheels/*.whl
COPY prepare.py ./
USER 1000
CMD ["animato", "worker"]
