# Everything a developer does, by name. Needs Python 3.11 or later, git and make; the rest is installed in .venv.

SHELL := /bin/sh
BIN := .venv/bin
# One process for each processor, but no more than four; `make test SPREAD=` runs the tests one after the other.
SPREAD := -n logical --maxprocesses 4
.DEFAULT_GOAL := help
.PHONY: help venv demo run test quick conformance docs-check lint format bench images matrix clean

help: ## list what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

venv: .venv/dev.stamp ## make .venv with all that development needs
	@:

# One stamp per dependency group: newer than pyproject.toml means installed. `dev` holds `demo` too.
.venv/demo.stamp .venv/dev.stamp: pyproject.toml native/Cargo.lock $(wildcard native/src/*.rs)
	@.ci/venv $(basename $(@F))

demo: .venv/demo.stamp ## show Tidegate at work between a real client and a real server
	@$(BIN)/python examples/demo.py

run: .venv/demo.stamp ## serve examples/quickstart.toml
	@$(BIN)/tidegate run examples/quickstart.toml

test: .venv/dev.stamp ## run every test
	@$(BIN)/pytest $(SPREAD)

quick: .venv/dev.stamp ## run the tests that take no more than seconds
	@$(BIN)/pytest $(SPREAD) -m "not slow"

conformance: .venv/dev.stamp ## run the protocol's conformance suite, directly and through Tidegate
	@$(BIN)/pytest tests/conformance

docs-check: .venv/dev.stamp ## check that the documentation says what the code does
	@$(BIN)/pytest tests/docs

lint: .venv/dev.stamp ## check style and types
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet || { echo "Some files are not formatted: run make format."; exit 1; }
	@$(BIN)/mypy --no-error-summary
	@if command -v cargo >/dev/null; then cd native && cargo fmt --check && cargo clippy --quiet --locked -- --deny warnings; fi

format: .venv/dev.stamp ## put the sources into the one format, and mend what ruff can
	@$(BIN)/ruff check --quiet --fix-only
	@$(BIN)/ruff format
	@if command -v cargo >/dev/null; then cd native && cargo fmt; fi

bench: .venv/dev.stamp ## measure what is claimed about speed
	@$(BIN)/python -m benchmarks.run

images: .venv/dev.stamp ## build the container images of the tests
	@PYTHONPATH=tests $(BIN)/python -m support.images

matrix: .venv/dev.stamp ## play every client version with every server version, and write docs/gateway-matrix.md
	@PYTHONPATH=tests $(BIN)/python -m matrix.run

clean: ## remove what was built here: .venv, caches, distributions
	@rm -rf native/target .venv .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
