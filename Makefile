# `make` alone lists the targets. Every target sets up what is missing first.
SHELL := /bin/bash
.DEFAULT_GOAL := help
BIN := .venv/bin
REPORTS := .tools/reports
PYTEST := $(BIN)/pytest -p no:cacheprovider
CHECKS := lint types imports generated

.PHONY: help setup check test test-system demo serve generate clean \
	lint types imports generated tests system-parts system-tests

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Build .venv with `candela` in it
	@.ci/setup

demo: setup ## Run the main job on real images through HTTP, then keep serving (ONCE=1 stops, KILL=1 kills in mid-job)
	@$(BIN)/candela demo

serve: setup ## Start the server with the settings of the environment
	@$(BIN)/candela serve

check: ## Lint, types, import contracts, generated files
	@.ci/stages setup $(CHECKS)

test: ## `check`, then every test that needs nothing from outside; under five minutes
	@.ci/stages setup $(CHECKS) tests

test-system: ## Tests that need PostgreSQL, a browser or OTB; installs what is missing
	@.ci/stages setup system-parts system-tests

generate: setup ## Write again what is derived from the code: openapi/, docs/processes/, config/candela.env.example
	@$(BIN)/candela generate

clean: ## Remove the environment, caches and reports; jobs in workspace/ stay
	@rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
	@find candela_processes tests -name __pycache__ -type d -prune -exec rm -rf {} +

# Stages of the above, timed by .ci/stages.

lint:
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet

types:
	@$(BIN)/mypy candela_processes tests

imports:
	@$(BIN)/lint-imports --no-logo

generated:
	@$(BIN)/candela generate --check

tests:
	@mkdir -p $(REPORTS)
	$(PYTEST) -m 'not system' -n 2 --dist loadfile --junitxml=$(REPORTS)/tests.xml

system-parts:
	@.ci/system-parts

system-tests:
	@mkdir -p $(REPORTS)
	$(PYTEST) -m system --junitxml=$(REPORTS)/system.xml; status=$$?; \
	if [ $$status -eq 5 ]; then echo 'There is no system test yet.'; exit 0; fi; exit $$status
