# Everything a developer does, by name. `make help` lists it.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help setup run test check audit fix schema docs lock bench web check-clients

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "%-13s %s\n", $$1, $$2}'

$(BIN)/gateway: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	@touch $@

setup: $(BIN)/gateway  ## Make the virtual environment with all that development needs

run: setup  ## Serve the demo
	$(BIN)/gateway serve --demo

test: setup  ## Run the whole suite
	$(BIN)/python -m pytest -n 3

check: setup audit  ## Lint, types, layers, that what is generated is fresh, and no version with a known fault
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/gateway schema --check schema.graphql
	$(BIN)/python -m gateway.docs --check docs

# A known fault fails; where nobody can be asked, as without the internet, that is said and no more.
audit: setup  ## Ask the index whether the versions of constraints.txt have known faults
	@mkdir -p build && rm -f build/audit.json
	@if ! $(BIN)/pip-audit --requirement constraints.txt --no-deps --disable-pip --progress-spinner off \
		--format json --output build/audit.json 2>build/audit.log && test -s build/audit.json; then \
		cat build/audit.log build/audit.json >&2; exit 1; fi
	@if test -s build/audit.json; then unknown=$$(grep -o '"skip_reason"' build/audit.json | wc -l); \
		else unknown=all; fi; test "$$unknown" = 0 || echo "Versions that could not be audited: $$unknown" >&2

fix: setup  ## Mend what the linter can, and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schema: setup  ## Write schema.graphql
	$(BIN)/gateway schema > schema.graphql

docs: setup  ## Write the generated pages of docs/
	$(BIN)/python -m gateway.docs docs

lock:  ## Take the newest versions that pyproject.toml allows, and write them down for CI and the image
	rm -rf build/lock && $(PYTHON) -m venv build/lock && build/lock/bin/python -m pip install --quiet --editable ".[dev]"
	(head -1 constraints.txt; build/lock/bin/python -m pip freeze --exclude-editable) > build/constraints.txt
	mv build/constraints.txt constraints.txt

bench: setup  ## Measure what answers cost beside the same answers written by hand, some three minutes
	$(BIN)/python -m bench

WEB := gateway/web

web: $(WEB)/dist/index.html  ## Build the GraphiQL page, with npm; it comes from a CDN otherwise

$(WEB)/dist/index.html: $(wildcard $(WEB)/src/*) $(addprefix $(WEB)/,.npmrc build.mjs package.json package-lock.json)
	cd $(WEB) && npm ci && npm run build

check-clients: setup web  ## Hold the gateway against public suites and clients, with npm: one minute, and two the first time
	$(BIN)/python tests/clients/run.py
