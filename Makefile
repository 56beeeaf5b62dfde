# make repro and make test set up .venv themselves; everything runs on Linux and macOS with Python 3.11 or newer.
PYTHON ?= python3
BIN := .venv/bin
GPU ?=
PINS ?= --upgrade
# Every file that pip fetches must have one of the hashes in requirements*.txt.
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes

.PHONY: help setup repro test lint bench pins audit clean

help:  ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

# The .pth line lets `.venv/bin/dvc` run the stages with this environment's python, activated or not.
.venv/ready: requirements.txt requirements-dev.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(INSTALL) -r requirements.txt -r requirements-dev.txt
	echo 'import os, sys; os.environ["PATH"] = os.path.join(sys.prefix, "bin") + os.pathsep + os.environ.get("PATH", "")' \
		> "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/stages_use_this_python.pth"
	touch $@

.venv/ready-gpu: .venv/ready requirements-gpu.txt
	$(INSTALL) -r requirements-gpu.txt
	touch $@

setup: $(if $(GPU),.venv/ready-gpu,.venv/ready)  ## install the pinned packages into .venv

repro: setup  ## run the chain as params.yaml says (GPU=1 adds CUDA's libraries)
	$(BIN)/dvc repro
	$(BIN)/dvc metrics show metrics/test.json

test: setup  ## run the tests
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

lint: setup  ## check format and style
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

bench: setup  ## measure against what people use: benchmarks/results.md (about 40 minutes)
	$(BIN)/python -m benchmarks.run

pins: setup  ## compile requirements*.in into requirements*.txt, versions and hashes; PINS= keeps the versions
	for name in requirements requirements-dev requirements-gpu; do \
		$(BIN)/uv pip compile --quiet $(PINS) --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
			$$name.in -o $$name.txt || exit 1; \
	done

audit: setup  ## ask PyPI for known vulnerabilities of the pins
	@$(BIN)/pip-audit --strict --require-hashes --disable-pip --progress-spinner off \
		-r requirements.txt -r requirements-dev.txt -r requirements-gpu.txt 2> .venv/audit.log; \
		status=$$?; tail -n 1 .venv/audit.log; exit $$status

clean:  ## remove .venv and what DVC can bring back; the cache stays
	rm -rf .venv data models metrics/timing.json
