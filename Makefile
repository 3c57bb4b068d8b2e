# Plain venv and pip in .venv; a second run installs nothing again. Works with GNU make 3.81 (macOS) and later.
#
# PYTHON=python3.12 make demo     another Python than the newest usable one
# REQUIRE_ALL=1 make test         a test that lacks what it needs fails instead of being skipped
# ONCE=1 make demo                ends after the first video
# make test ARGS="-k smile"       options for pytest; in the same way for `make sandbox`, `demo` and `bench`

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: demo sandbox neural test lint bench templates clean help
# Two installations into one environment at the same time would break it.
.NOTPARALLEL:

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
ARGS ?=

# Says in one sentence why there is no Python to go on with, or leaves its name in $$python.
define find_python
	version_of() { "$$1" -c 'import sys; print("%d %d" % sys.version_info[:2])' 2>/dev/null; }; \
	usable() { set -- $$(version_of "$$1"); [ "$${1:-0}" -eq 3 ] && [ "$${2:-0}" -ge 11 ]; }; \
	if [ -n "$(PYTHON)" ]; then candidates="$(PYTHON)"; \
	else candidates="python3 python3.13 python3.12 python3.11"; fi; \
	python=; \
	for candidate in $$candidates; do \
		if usable "$$candidate"; then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
		set -- $$candidates; \
		found=$$(version_of "$$1" | tr ' ' .); \
		echo "Python 3.11 or newer is needed, and $$1 is $${found:-not there}: install one, or name it with PYTHON=/path/to/python3.12 make $(MAKECMDGOALS)." >&2; \
		exit 1; \
	fi; \
	if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
		package=python$$(version_of "$$python" | tr ' ' .)-venv; \
		echo "$$python cannot make virtual environments: install the package $$package (Debian and Ubuntu: sudo apt-get install $$package) and try again." >&2; \
		exit 1; \
	fi
endef

help:
	@echo "make demo       the whole service with a Telegram on your desk; first a portrait nods: out/demo.mp4"
	@echo "make sandbox    a Telegram on your desk: a Bot API server and a chat page, for trying a bot"
	@echo "make neural     install what network engines need: torch and more, 250 MB to several GB"
	@echo "make test       run the tests and say what was skipped and why"
	@echo "make lint       ruff, mypy, import-linter"
	@echo "make bench      measure the speed on this machine"
	@echo "make templates  render the templates' videos that are missing or out of date"
	@echo "make clean      remove .venv, caches and out/"

demo: .venv/service-installed
	@$(BIN)/animato demo $(if $(ONCE),--once) $(ARGS)

sandbox: .venv/sandbox-installed
	@$(BIN)/python -m sandbox $(ARGS)

neural: .venv/neural-installed
	@echo "What network engines need is in .venv."

test: .venv/dev-installed
	@$(BIN)/python -m pytest $(ARGS)

lint: .venv/dev-installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/dev-installed
	@$(BIN)/python -m benchmarks $(ARGS)

templates: .venv/base-installed
	@$(BIN)/animato templates build

clean:
	rm -rf .venv out .mypy_cache .pytest_cache .ruff_cache .import_linter_cache build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A link to the Python that it was made with: when that has gone (a system upgrade), the link leads nowhere, and the
# environment is made anew. No half-made environment stays behind.
$(BIN)/python:
	@$(find_python); \
	echo "Making .venv with $$python ..."; \
	trap 'rm -rf .venv' INT TERM HUP; \
	"$$python" -m venv --clear .venv || { rm -rf .venv; exit 1; }

.venv/base-installed: $(BIN)/python pyproject.toml constraints.txt
	@echo "Installing what the program needs into .venv (the first time about 250 MB to download) ..."
	@$(PIP) --editable .
	@touch $@

.venv/sandbox-installed: .venv/base-installed
	@echo "Installing what the sandbox and a bot need (3 MB to download) ..."
	@$(PIP) --editable ".[bot,sandbox]"
	@touch $@

# All at once, so that a newcomer waits for pip once.
.venv/service-installed: $(BIN)/python pyproject.toml constraints.txt
	@echo "Installing what the service needs into .venv (the first time about 270 MB to download) ..."
	@$(PIP) --editable ".[bot,sandbox,service]"
	@touch $@

# face-alignment alone, without what it asks for: that would put another OpenCV in the place of ours.
.venv/neural-installed: .venv/base-installed
	@echo "Installing what network engines need: about 250 MB to download, several GB where pip chooses a CUDA build of torch (on Linux it does, unless told otherwise) ..."
	@$(PIP) --editable ".[neural]"
	@$(PIP) --no-deps face-alignment
	@touch $@

.venv/dev-installed: .venv/neural-installed .venv/service-installed
	@echo "Installing what tests and checks need ..."
	@$(PIP) --editable ".[bot,sandbox,service,dev]"
	@touch $@
