# What to do with this repository. `make` alone tells.

.DEFAULT_GOAL := help

# The first Python from 3.11 on, unless PYTHON says which.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { echo $$python; break; }; done)
VENV ?= .venv
PYTEST_FLAGS ?=
BENCH_FLAGS ?=

BIN := $(VENV)/bin
# An environment made by another Python is made anew: its stamps bear another name.
VERSION := $(if $(PYTHON),$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])'))
RUN := $(VENV)/.run-$(VERSION)
DEV := $(VENV)/.dev-$(VERSION)
# Programs from npm that some tests talk to; without npm those tests are skipped.
NODE := $(if $(shell command -v npm),tests/node/node_modules/.installed)
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCK := $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-annotate --custom-compile-command "make lock" --quiet

.PHONY: help
help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# ---- environments -------------------------------------------------------------------------------

$(VENV)/.python-$(VERSION):
	@test -n "$(VERSION)" || { \
		echo 'make: no Python 3.11 or newer here; install one, or name it: make PYTHON=...' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo 'make: $(PYTHON) lacks venv; on Debian and Ubuntu: apt-get install python3-venv' >&2; exit 1; }
	@echo 'Making $(VENV) with $(PYTHON) ($(VERSION)) ...'
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(RUN): $(VENV)/.python-$(VERSION) requirements/run.lock pyproject.toml
	@echo 'Installing hrctl and what it needs ...'
	@$(PIP) install --require-hashes -r requirements/run.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): $(RUN) requirements/dev.lock
	@echo 'Installing what tests and checks need ...'
	@$(PIP) install --require-hashes -r requirements/dev.lock
	@touch $@

tests/node/node_modules/.installed: tests/node/package-lock.json
	@echo 'Installing what tests need from npm ...'
	@cd tests/node && npm ci --no-progress --loglevel=error
	@touch $@

.PHONY: install
install: $(RUN) ## make .venv with hrctl in it

.PHONY: dev
dev: $(DEV) $(NODE) ## make .venv with hrctl and all that developing it needs

# ---- the demo -----------------------------------------------------------------------------------

.PHONY: demo
demo: $(RUN) ## see it all at work, in ./demo/storefront (starts local servers)
	@HRCTL_BIN='$(abspath $(BIN))' scripts/demo.sh

.PHONY: demo-down
demo-down: ## stop what the demo started, and remove ./demo
	@HRCTL_BIN='$(abspath $(BIN))' scripts/demo-down.sh

# ---- checks -------------------------------------------------------------------------------------

.PHONY: test
test: $(DEV) $(NODE) ## run all tests (PYTHON=python3.13, PYTEST_FLAGS="-k tree")
	@PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m pytest $(PYTEST_FLAGS)

.PHONY: lint
lint: $(DEV) ## check style, types, layers and the examples
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hrctl -C examples/quickstart validate
	$(BIN)/hrctl -C examples/quickstart fmt --check
	$(BIN)/hrctl -C examples/storefront validate
	$(BIN)/hrctl -C examples/storefront fmt --check

.PHONY: bench
bench: $(DEV) ## measure, and print a table (BENCH_FLAGS=--quick)
	@PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m tests.bench.run $(BENCH_FLAGS)

# ---- what is generated --------------------------------------------------------------------------

.PHONY: schemas
schemas: $(RUN) ## write schemas/ anew from the models
	@$(BIN)/hrctl schema --write schemas

.PHONY: lock
lock: $(VENV)/.python-$(VERSION) ## renew requirements/*.lock with the newest releases
	@$(PIP) install uv
	$(LOCK) --upgrade --extra all --group build --output-file requirements/run.lock
	$(LOCK) --upgrade --extra all --group dev --constraint requirements/run.lock \
		--output-file requirements/dev.lock

.PHONY: clean
clean: ## remove .venv and whatever is made by building and testing
	@test ! -d demo || { \
		echo 'make: ./demo is there and its servers may run; "make demo-down" first' >&2; exit 1; }
	rm -rf $(VENV) tests/node/node_modules build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
