# Verbs for people; `make help` lists them. Everything below needs only Python >= 3.11 and a package index.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv)
READY := $(VENV)/.ready
EVERYTHING := -c constraints.txt -e '.[target,stack,dev]'
CORE := setup.py $(wildcard build_backend/*.py harness/core/src/* harness/calibrate/golden/src/*)
CORE += $(wildcard harness/core/third_party/*/*.[ch])

.DEFAULT_GOAL := help
.PHONY: help setup browser stack check format test demo bench clean

help: ## list the verbs
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(READY) ## make the virtual environment (uv when on PATH, else venv and pip)

# What is older than the environment needs no second look: after an edit of the C sources only those are built again.
$(READY): EXTENT = $(if $(filter pyproject.toml constraints.txt,$?),$(EVERYTHING),--no-deps -e .)
$(READY): pyproject.toml constraints.txt $(CORE)
ifdef UV
	@$(UV) venv --quiet --allow-existing --seed --python $(PYTHON) $(VENV)
	$(UV) pip install --quiet --python $(BIN)/python $(EXTENT)
else
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(EXTENT)
endif
	@touch $@

browser: ## make sure that Chromium is there for the tests of the report (Debian: apt-get, as root)
	@command -v chromium >/dev/null || { \
	  test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
	  && apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null; } \
	|| echo "no Chromium: the browser tests will be skipped"

stack: $(READY) ## install the observability stack's components, once (Java, Maven and Go make the most of them)
	@$(BIN)/tidegate stack install --redis || echo "the tests that need what is missing will be skipped"

check: $(READY) ## ruff, mypy --strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY) ## let ruff format and fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: $(READY) browser stack ## every test
	$(BIN)/python -m pytest

demo: $(READY) ## a flash sale against a real model, ending in a verdict and a report (STACK=1: with everything up)
	@$(if $(STACK),$(BIN)/tidegate stack up)
	@$(BIN)/tidegate demo; code=$$?; $(if $(STACK),$(BIN)/tidegate stack links;) exit $$code

# Not here, as they take the whole machine or install others' tools: million, peers.
BENCHMARKS := ingest open_loop records spool connections churn grpc master scaling
bench: $(READY) ## benchmarks, one JSON object a line
	@for name in $(BENCHMARKS); do $(BIN)/python -m benchmarks.$$name; done

clean: ## remove the virtual environment, runs and caches of this checkout
	rm -rf $(VENV) runs .tidegate .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
	rm -f harness/core/_core.so* harness/calibrate/golden/_golden.so*
