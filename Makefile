# make repro and make test set up .venv themselves; everything runs on Linux and macOS with Python 3.11 or newer.
PYTHON ?= python3
BIN := .venv/bin
GPU ?=

.PHONY: help setup repro test lint pins clean

help:  ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

# The .pth line lets `.venv/bin/dvc` run the stages with this environment's python, activated or not.
.venv/ready: requirements.txt requirements-dev.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt -r requirements-dev.txt
	echo 'import os, sys; os.environ["PATH"] = os.path.join(sys.prefix, "bin") + os.pathsep + os.environ.get("PATH", "")' \
		> "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/stages_use_this_python.pth"
	touch $@

.venv/ready-gpu: .venv/ready requirements-gpu.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-gpu.txt
	touch $@

setup: $(if $(GPU),.venv/ready-gpu,.venv/ready)  ## install the pinned packages into .venv

repro: setup  ## run the chain as params.yaml says (GPU=1 adds CUDA's libraries)
	$(BIN)/dvc repro
	$(BIN)/dvc metrics show metrics/test.json

test: setup  ## run the tests
	$(BIN)/python -m pytest

lint: setup  ## check format and style
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

pins: setup  ## compile requirements*.in into pinned requirements*.txt
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-header requirements.in -o requirements.txt
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-header requirements-dev.in -o requirements-dev.txt

clean:  ## remove .venv and what DVC can bring back; the cache stays
	rm -rf .venv data models metrics/timing.json
