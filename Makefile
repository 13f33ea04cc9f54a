# kezd: `make demo` shows it, `make test` tests it. Every target sets up what it needs in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/pytest
KEEP ?=
ANNOUNCE ?=
# Installing never asks which index: the client's own configuration decides, the hashes decide what is accepted.
PIP := $(BIN)/pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help demo test check contract man fmt bench soak lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.run: requirements.lock pyproject.toml
	@echo "== setting up $(VENV) (kezd and what it runs on, from requirements.lock)"
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else "kezd needs Python 3.11, 3.12 or 3.13, this is %d.%d: make PYTHON=python3.12 ..." % v)'
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.lock
	@echo "== adding the development tools (from requirements-dev.lock)"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

$(VENV)/.web: clients/web/package-lock.json | $(VENV)/.run
	@echo "== adding the TypeScript compiler (from clients/web/package-lock.json)"
	@npm ci --prefix clients/web --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

demo: $(VENV)/.run ## two people, two peers, one home server: a conversation (KEEP=1 leaves it running)
	@$(BIN)/python -m kezd.testing.demo $(if $(KEEP),--keep,)

test: $(VENV)/.dev ## every test, with real servers on loopback
	@echo "== tests"
	@$(PYTEST) -q -n 2 --dist worksteal

check: $(VENV)/.dev ## format, lint, types, layers, sizes, contract, protocol coverage
	@echo "== format and lint"
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@find kezd clients -name '*.py' -not -path 'kezd/home/*' -print0 | xargs -0 $(BIN)/flake8-async --enable=ASYNC101,ASYNC102,ASYNC103,ASYNC104,ASYNC113
	@echo "== types"
	@$(BIN)/mypy
	@echo "== layers"
	@$(BIN)/lint-imports --no-cache
	@echo "== sizes"
	@find kezd clients -name '*.py' -exec wc -l {} + | awk '$$2 != "total" && $$1 > 500 {print "over 500 lines: " $$2 " (" $$1 ")"; bad = 1} END {exit bad}'
	@echo "== contract"
	@$(MAKE) --no-print-directory contract
	@echo "== protocol: every branch covered"
	@$(BIN)/coverage run --branch --source=kezd/kez --data-file=$(VENV)/.coverage -m pytest -q tests/kez
	@$(BIN)/coverage report --data-file=$(VENV)/.coverage --fail-under=100 --skip-covered

contract: $(VENV)/.dev ## the API beside what was announced, and what is made from it (ANNOUNCE=1 announces a change)
	@$(BIN)/python -m kezd.testing.contract $(if $(ANNOUNCE),--announce,)
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory $(VENV)/.web && npm run --silent --prefix clients/web check; \
	elif [ "$$CI" = true ]; then echo "this machine has no npm, and in CI nothing may be missing"; exit 1; \
	else echo "  no npm here: the TypeScript types are not compiled"; fi

man: $(VENV)/.dev ## write the manual pages anew (docs/man), from the arguments of the programs
	@$(BIN)/python -m kezd.testing.man_pages

fmt: $(VENV)/.dev ## format and mend what can be mended
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/.dev ## measure, beside baselines in the same run; prints what docs/performance.md holds
	@$(BIN)/python -m bench

soak: $(VENV)/.dev ## the long tests (about an hour)
	@$(PYTEST) -q -m soak --soak

lock: ## write the lock files anew (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate pyproject.toml --group build -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate pyproject.toml --group dev -o requirements-dev.lock

clean: ## remove what was built
	@rm -rf $(VENV) clients/web/node_modules build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@rm -rf *.egg-info
