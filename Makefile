# Every door of the project. Each target makes .venv and installs what it needs by itself, once.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed

.PHONY: help demo test test-slow test-crash test-soak check lint types imports proto proto-check bench report clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# What pip would do again is done again only when pyproject.toml changes.
$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.11 ..."; exit 1; }
	@echo "==> Making $(VENV) and installing CipherLens with PyTorch into it (some 6 GB on disk, several minutes on a slow line, once)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[server,cpu,model,bench,dev]'
	@touch $@
	@echo "==> Installed"

demo: $(STAMP) ## encrypt, train, serve, search and decrypt real pictures; writes demo/index.html
	@$(BIN)/python demo/run.py $(DEMO)

test: $(STAMP) ## the tests
	@$(BIN)/python -m pytest $(PYTEST)

test-slow: $(STAMP) ## tests of more than a few seconds
	@$(BIN)/python -m pytest -m slow $(PYTEST)

test-crash: $(STAMP) ## tests that kill a real server again and again
	@$(BIN)/python -m pytest -m crash $(PYTEST)

test-soak: $(STAMP) ## tests that run for minutes
	@$(BIN)/python -m pytest -m soak $(PYTEST)

check: lint types imports proto-check test ## all that a change must pass

lint: $(STAMP) ## ruff: rules and format
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check

# mypy and import-linter read the import namespace from a folder; these links lay it out as an install would.
VIEW := $(VENV)/view/cipherlens
$(VIEW): $(STAMP)
	@mkdir -p $@
	@for part in base crypto model server client; do ln -sfn "$(CURDIR)/$$part" $@/$$part; done
	@for part in v1 wire; do ln -sfn "$(CURDIR)/proto/cipherlens/$$part" $@/$$part; done

types: $(VIEW) ## mypy --strict
	@MYPYPATH=$(VENV)/view $(BIN)/mypy -p cipherlens

imports: $(VIEW) ## who may import whom
	@PYTHONPATH=$(VENV)/view $(BIN)/lint-imports --no-cache

proto: $(STAMP) ## write the generated code anew
	@proto/generate.sh $(CURDIR)/$(BIN)/python

proto-check: $(STAMP) ## buf lint, and the generated code is what the .proto files say
	@$(BIN)/buf lint
	@proto/check.sh $(CURDIR)/$(BIN)/python

bench: $(STAMP) ## run the quick benchmarks and write benchmarks/REPORT.md
	@$(BIN)/python -m benchmarks all --profile quick

report: $(STAMP) ## write benchmarks/REPORT.md from the figures that are there
	@$(BIN)/python -m benchmarks report

clean: ## remove what the targets made, but not the results
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache demo/index.html
