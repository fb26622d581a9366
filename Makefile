# Everything sets itself up: `make test`, `make demo` and the rest need Python 3.11 or newer and, for Kafka, either a
# running broker (KAFKA_BOOTSTRAP), Docker, or Java 17 with Maven.

PYTHON ?= $(shell command -v python3.11 || command -v python3 || command -v python || echo python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
CODE := topics avro agents transport state connectors mapping cutover dashboard sandbox ops tests bench

N ?= 20
SECONDS ?= 20
# Test processes side by side, each with a broker of its own.
WORKERS ?= 2

.PHONY: help setup test demo lint format faults crash chaos dirt bench lock clean
.DEFAULT_GOAL := help

help:  ## What can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /make \1\t/' | expand -t 14

setup: $(STAMP)  ## Make the virtual environment .venv, once per change of the lock

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Carryover needs Python 3.11 or newer, and $(PYTHON) is not: install it, or name one with make PYTHON=..." >&2; \
	  exit 1; }
	@test -x $(BIN)/python || { echo "Making $(VENV) with $$($(PYTHON) --version) ..."; $(PYTHON) -m venv $(VENV); }
	@echo "Installing what requirements.lock names into $(VENV) (once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

test: $(STAMP)  ## Run every test against a real Kafka (ARGS='tests/topics -k codec' for some)
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

demo: $(STAMP)  ## Move a made-up practice from a sandbox to a sandbox and watch it (ARGS='--help')
	@$(BIN)/carryover demo $(ARGS)

lint: $(STAMP)  ## Formatting, lint and types
	@$(BIN)/ruff format --check $(CODE)
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/mypy

format: $(STAMP)  ## Format the code, and fix what can be fixed without thinking
	@$(BIN)/ruff format $(CODE)
	@$(BIN)/ruff check --fix $(CODE)

faults: $(STAMP)  ## The tests that kill processes, with every case of theirs
	@CHAOS=1 $(BIN)/python -m pytest -m faults --timeout 1800 $(ARGS)

crash: $(STAMP)  ## Kill a loader at each step of a batch, and write what followed into docs/loading.md
	@$(BIN)/python -m tests.crash $(ARGS)

chaos: $(STAMP)  ## Break everything while people work, seed by seed (N=100, or one of them: SEED=17)
	@$(BIN)/python -m tests.chaos --seeds $(N) --seconds $(SECONDS) $(if $(SEED),--seed $(SEED)) $(ARGS)

dirt: $(STAMP)  ## Write docs/dirty-data.md: what becomes of each kind of dirty data, and which test shows it
	@$(BIN)/python -m tests.dirt

bench: $(STAMP)  ## Measure speed; results go to the terminal
	@$(BIN)/python -m bench $(ARGS)

lock: $(STAMP)  ## Pin every dependency anew in requirements.lock
	@$(BIN)/uv pip compile --quiet --no-header --universal --generate-hashes --python-version 3.11 --extra sandbox --group dev \
	  --output-file requirements.lock pyproject.toml

clean:  ## Remove local data, jars and caches; .venv stays
	rm -rf .local .pytest_cache .mypy_cache .ruff_cache .hypothesis
