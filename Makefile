# Two commands matter: `make demo` and `make test`. Each sets up what it needs. A third, `make
# cluster`, takes the demonstration through every runner; it starts a Slurm and has to be root.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
# The newest releases on PyPI bring gigabytes of CUDA along; name another build to use a GPU.
TORCH ?= torch==2.13.0
SUDO := $(shell [ "$$(id -u)" = 0 ] || command -v sudo)

.PHONY: demo test cluster cluster-needs lint types unit system clean

demo: $(VENV)/.ready
	$(BIN)/cryoverdict demo --output demo

test: system $(VENV)/.ready-test lint types unit

cluster: cluster-needs
	$(BIN)/python -m pytest -m 'cluster or node' --durations 0

lint:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: .types/cryoverdict
	$(BIN)/mypy

unit:
	$(BIN)/python -m pytest -n 2 --dist worksteal

# RELION reads our STAR files in the tests, Chromium opens our pages, PostgreSQL holds a catalogue.
system:
	@command -v relion_star_handler >/dev/null && command -v chromium >/dev/null && \
	  ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || \
	  { $(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq --no-install-recommends \
	      relion chromium postgresql >/dev/null; }

# Slurm with its two fake nodes, and Node for the Composer's library.
cluster-needs: $(VENV)/.ready-cluster
	@command -v slurmctld >/dev/null && command -v munged >/dev/null || \
	  { $(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq --no-install-recommends \
	      slurm-wlm munge >/dev/null; }
	@command -v node >/dev/null && command -v npm >/dev/null || \
	  { $(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq --no-install-recommends \
	      nodejs npm >/dev/null; }

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV) || { $(SUDO) apt-get update -qq && \
	  $(SUDO) apt-get install -y -qq --no-install-recommends python3.11-venv && \
	  $(PYTHON) -m venv --clear $(VENV); }
	$(BIN)/python -m pip install -q --upgrade pip

$(VENV)/.ready: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q '$(TORCH)'
	$(BIN)/python -m pip install -q -e '.[classify]'
	touch $@

$(VENV)/.ready-test: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q '$(TORCH)'
	$(BIN)/python -m pip install -q -e '.[classify,models,test]'
	touch $@ $(VENV)/.ready

$(VENV)/.ready-cluster: $(VENV)/.ready-test
	$(BIN)/python -m pip install -q -e '.[cluster]'
	touch $@

clean:
	rm -rf $(VENV) build dist demo *.egg-info .mypy_cache .pytest_cache .ruff_cache
