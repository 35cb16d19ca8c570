# make run      start Scriza and place a sample call against it
# make test     everything one machine can show in under 10 minutes
# make system   several processes, kills, load, 10,000 signed forms
# make lint     style, types, who may import whom, Dockerfile, locks
# make bench    the figures of benchmarks/
# make docs     write the generated pages of docs/ anew
# make lock     choose new versions of all dependencies
# make install  only set up what `make run` needs
# make clean    remove what the above made, except data/

PYTHON ?= python3
UV_VERSION := 0.13.9

VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv pip install --python $(BIN)/python
# What is downloaded is worth a line each, what is installed from it is not.
TERSELY := 2>&1 | sed '/^ [-+~] /d'
SHELL := bash
.SHELLFLAGS := -o pipefail -c
CHECK_PYTHON = import sys; v = "%d.%d.%d" % sys.version_info[:3]; \
	sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13) and \
	"Scriza needs Python 3.11, 3.12 or 3.13, and $(PYTHON) is " + v + ". Choose another: make PYTHON=python3.12")
# The server that the load is put on is started by the benchmark itself.
BENCHMARKS = $(filter-out benchmarks/load_server.py, $(sort $(wildcard benchmarks/*.py)))
# Other people's stand-ins that `make system` holds Scriza against; without npm their tests say that they were skipped.
ORACLES := tests/oracles/node_modules
EXPORT := $(BIN)/uv export --quiet --frozen --no-emit-project --no-header --no-annotate

.DEFAULT_GOAL := run
.PHONY: run install test system lint bench docs lock clean
.DELETE_ON_ERROR:

run: install
	@exec $(BIN)/scriza serve --sample-call

install: $(VENV)/.installed

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n auto --dist loadfile -m "not system"

system: $(VENV)/.installed-dev $(ORACLES)/.installed
	$(BIN)/python -m pytest -m system --ignore tests/weather
	$(BIN)/python -m pytest -n auto --dist load -m system tests/weather
	SCRIZA_TEST_SIGNED_FORMS=10000 $(BIN)/python -m pytest --timeout 1200 tests/unit/test_signatures_against_twilio.py

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/hadolint Dockerfile
	@! grep -nE '://|@ file|^-' requirements.lock requirements-dev.lock || { echo "a lock names a URL, a path or an index: run 'make lock'"; exit 1; }

bench: $(VENV)/.installed-dev
	@for script in $(BENCHMARKS); do echo "== $$script"; $(BIN)/python $$script || exit; done

docs: $(VENV)/.installed-dev
	$(BIN)/scriza config --markdown > docs/settings.md
	$(BIN)/python -c 'from scriza.modules.telephony.call.diagram import page; print(page(), end="")' > docs/call-machine.md

lock: $(VENV)/.uv
	$(BIN)/uv lock --quiet --upgrade
	$(EXPORT) --no-dev --extra embedded > requirements.lock
	$(EXPORT) --all-extras > requirements-dev.lock

clean:
	rm -rf $(VENV) $(ORACLES) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# uv makes the installation quick and checks every hash; pip only brings uv.
$(VENV)/.uv:
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON) here. Choose a Python: make PYTHON=python3.12" >&2; exit 2; }
	@$(PYTHON) -c '$(CHECK_PYTHON)'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PYTHON) lacks its venv package. Install it: apt-get install python3-venv" >&2; exit 2; }
	@echo "Making a virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@touch $@

$(VENV)/.installed: requirements.lock pyproject.toml | $(VENV)/.uv
	@echo "Installing Scriza (the first time some 200 MB to download; 750 MB on disk)"
	@$(UV) --require-hashes -r requirements.lock $(TERSELY)
	@$(UV) --quiet --no-deps -e .
	@touch $@

$(ORACLES)/.installed: tests/oracles/package-lock.json
	@if command -v npm >/dev/null; then \
		echo "Installing other people's stand-ins for Twilio (some 200 MB)"; \
		cd tests/oracles && npm ci --silent && touch node_modules/.installed || echo "npm cannot bring them"; \
	else echo "There is no npm here, so Scriza is not held against other people's stand-ins: apt-get install npm"; fi

$(VENV)/.installed-dev: requirements-dev.lock pyproject.toml | $(VENV)/.uv
	@echo "Installing Scriza and what its tests need"
	@$(UV) --require-hashes -r requirements-dev.lock $(TERSELY)
	@$(UV) --quiet --no-deps -e .
	@touch $(VENV)/.installed $@
