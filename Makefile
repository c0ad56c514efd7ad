# Every door of the project. Each target makes .venv and installs what it needs by itself, once.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
PROTO := $(VENV)/proto
VIEW := $(VENV)/view/cipherlens
LOWEST := .venv-lowest
EVERYTHING := .[cli,gallery,server,cpu,model,bench,dev]

.PHONY: help demo test test-slow test-engines test-crash test-soak test-browser test-languages fuzz test-lowest check lint types imports proto proto-check bench bench-check report docs clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# What pip would do again is done again only when pyproject.toml changes.
$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.11 ..."; exit 1; }
	@echo "==> Making $(VENV) and installing CipherLens with PyTorch into it (some 6 GB on disk, several minutes on a slow line, once)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '$(EVERYTHING)'
	@touch $@
	@echo "==> Installed"

demo: $(STAMP) ## encrypt, train, serve, search and decrypt real pictures; writes demo/index.html
	@$(BIN)/python demo/run.py $(DEMO)

test: $(VIEW) ## the tests
	@$(BIN)/python -m pytest $(PYTEST)

test-slow: $(STAMP) ## tests of more than a few seconds
	@$(BIN)/python -m pytest -m slow $(PYTEST)

# Real engines of vectors and databases that the tests of 'make test' have no time for.
ENGINES := tests/server/vectors tests/client/cli/test_doctor_engines.py tests/server/test_standby.py
test-engines: $(STAMP) ## Milvus with a server before it, lost and found; a standby of PostgreSQL; some ten minutes
	@$(BIN)/python -m pytest -m slow $(ENGINES) -p tests.kept_results --keep benchmarks/results/engines.json $(PYTEST)

test-crash: $(STAMP) ## 1,000 kills of a real server, some of workers and PostgreSQL, power cuts; hours, CIPHERLENS_CRASH_ROUNDS=10 for fewer
	@$(BIN)/python -m pytest -m crash $(PYTEST)

test-soak: $(STAMP) ## tests that run for minutes
	@$(BIN)/python -m pytest -m soak $(PYTEST)

# With Node, a JDK and Go, with the packages that examples/java/run and examples/go/run name; what is missing is skipped and said.
test-languages: $(VENV)/browser ## the examples in JavaScript, Java and Go, and the cipher in a browser
	@if command -v npm > /dev/null; then npm --prefix examples/javascript ci --silent; else echo "==> No npm: without JavaScript"; fi
	@$(BIN)/python -m pytest -m languages -p tests.kept_results --keep benchmarks/results/languages.json $(PYTEST)

test-browser: $(VENV)/browser ## the page of 'cipherlens gallery' in Chromium, if there is one
	@$(BIN)/python -m pytest -m browser -p tests.kept_results --keep benchmarks/results/browser.json $(PYTEST)

$(VENV)/browser: $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[browser]'
	@touch $@

fuzz: $(VENV)/fuzzing ## bytes of strangers at every door, a minute each; FUZZ="--seconds 600 grant"
	@$(BIN)/python -m tests.fuzz $(FUZZ)

$(VENV)/fuzzing: $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[fuzz]'
	@touch $@

# Python 3.11, the oldest that is supported, has wheels of them all. All that is installed is tested; benchmarks
# and the demo run with what .venv has. What old libraries and newer ones deprecate in each other is shown,
# and is no failure. What the last whole run found is in benchmarks/results/lowest.json.
INSTALLED := base crypto wire model server client test_packaging.py
test-lowest: $(LOWEST)/installed ## tests of all that is installed, with the lowest versions that pyproject.toml allows
	@$(LOWEST)/bin/python -m pytest -W default::DeprecationWarning $(INSTALLED:%=tests/%) $(PYTEST)

$(LOWEST)/installed: pyproject.toml
	@rm -rf $(LOWEST)
	@python3.11 -m venv $(LOWEST)
	@$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check uv
	@$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST)/bin/python --resolution lowest-direct --editable '$(EVERYTHING)'
	@touch $@

check: lint types imports proto-check test ## all that a change must pass

lint: $(STAMP) ## ruff: rules and format
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check

# mypy and import-linter read the import namespace from a folder; these links lay it out as an install would.
$(VIEW): $(STAMP)
	@mkdir -p $@
	@for part in base crypto model server client; do ln -sfn "$(CURDIR)/$$part" $@/$$part; done
	@for part in v1 wire; do ln -sfn "$(CURDIR)/proto/cipherlens/$$part" $@/$$part; done

types: $(VIEW) ## mypy --strict
	@MYPYPATH=$(VENV)/view:. $(BIN)/mypy -p cipherlens -p benchmarks

imports: $(VIEW) ## who may import whom
	@PYTHONPATH=$(VENV)/view $(BIN)/lint-imports --no-cache

proto: $(PROTO)/installed ## write the generated code anew
	@proto/generate.sh $(CURDIR)/$(PROTO)/bin/python

proto-check: $(STAMP) $(PROTO)/installed ## buf lint, and the generated code is what the .proto files say
	@$(BIN)/buf lint
	@proto/check.sh $(CURDIR)/$(PROTO)/bin/python

# The generators need an older protobuf than everything else gets.
$(PROTO)/installed: proto/requirements.txt
	@$(PYTHON) -m venv --clear $(PROTO)
	@$(PROTO)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

bench: $(STAMP) ## run the quick benchmarks and write benchmarks/REPORT.md
	@$(BIN)/python -m benchmarks all --profile quick

bench-check: $(STAMP) ## measure the guarded ratios anew; fails if one is clearly worse than the kept one
	@$(BIN)/python -m benchmarks check

report: $(STAMP) ## write benchmarks/REPORT.md from the figures that are there
	@$(BIN)/python -m benchmarks report

docs: $(VIEW) ## the site, with every command, RPC and setting from the sources -> build/site/index.html
	@$(BIN)/python docs/site
	@echo "docs: build/site/index.html"

clean: ## remove what the targets made, but not the results
	rm -rf $(VENV) $(LOWEST) examples/javascript/node_modules build *.egg-info .mypy_cache .ruff_cache .pytest_cache demo/index.html
