# Everything a developer does, by name. `make help` lists it.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help setup run test check fix schema docs bench

help:  ## List the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "%-8s %s\n", $$1, $$2}'

$(BIN)/gateway: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	@touch $@

setup: $(BIN)/gateway  ## Make the virtual environment with all that development needs

run: setup  ## Serve the demo
	$(BIN)/gateway serve --demo

test: setup  ## Run the whole suite
	$(BIN)/python -m pytest -n 2

check: setup  ## Lint, types, layers, and that what is generated is fresh
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/gateway schema --check schema.graphql
	$(BIN)/python -m gateway.docs --check docs

fix: setup  ## Mend what the linter can, and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schema: setup  ## Write schema.graphql
	$(BIN)/gateway schema > schema.graphql

docs: setup  ## Write the generated pages of docs/
	$(BIN)/python -m gateway.docs docs

bench: setup  ## Measure what answers cost beside the same answers written by hand, some three minutes
	$(BIN)/python -m bench
