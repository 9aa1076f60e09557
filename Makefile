# Moa. The two commands to know: `make demo` and `make test`. Each sets up what it needs, once.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory

PY := .venv/bin/python
SETUP := scripts/setup.sh
# Given or chosen free: make demo PORT=8080 RPC_PORT=8545
DEMO := $(if $(ONCE),--once) $(if $(FRESH),--fresh) $(if $(PORT),--port $(PORT)) $(if $(RPC_PORT),--rpc-port $(RPC_PORT))

.PHONY: help demo test check bench setup lint types layers unit generate contracts-test chain-test api-test wallet-test \
        end-to-end hooks locks clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | column -ts $$'\t'

setup: ## both environments, npm packages, contracts, screens (a second run installs nothing)
	@$(SETUP) app node contracts abi wallet

demo: setup ## Ganache, deploy, replay 6,919 real purchases, verdict, screens (ONCE=1 exits; FRESH=1 starts anew)
	@exec $(PY) -m scripts.cli demo $(DEMO)

test: setup ## everything: check, contracts on Ganache, chain, gateway, wallet, end to end in a browser
	@$(SETUP) browser
	@$(MAKE) check contracts-test forge-test slow-test

check: ## the two-minute part: lint, types, layers, generated files, unit tests
	@$(SETUP) app node contracts abi
	@$(MAKE) lint types layers generated unit wallet-test

lint:
	@.venv/bin/ruff check . && .venv/bin/ruff format --check .

types:
	@.venv/bin/mypy && npm run --silent types

layers:
	@.venv/bin/lint-imports

generate: ## ABI, OpenAPI document and the wallet's client, made again
	@$(PY) -m scripts.export_abi && $(PY) -m scripts.openapi && npm run --silent client

generated: generate
	@git diff --exit-code --stat -- chain/abi api/openapi.json wallet/src/api/schema.d.ts || \
	  { echo "Generated files were stale: commit what 'make generate' wrote."; exit 1; }

unit:
	@$(PY) -m pytest -q -m "not slow" tests

wallet-test:
	@npm run --silent test

contracts-test: ## Brownie on Ganache
	@$(PY) -m scripts.cli contracts-test

forge-test:
	@node_modules/.bin/forge test -q

slow-test: ## what needs a node, a database server or a browser
	@$(PY) -m pytest -q -m slow tests

bench: setup ## side-by-side benchmarks into build/bench.json
	@$(PY) -m scripts.cli bench

hooks: ## installs the pre-commit hooks
	@.venv/bin/pre-commit install

locks: ## resolves the lock files again (needs uv; writes hashes, never an address)
	@for f in app contracts halmos slither; do uv pip compile -q --generate-hashes --python-version 3.11 --no-header requirements/$$f.in -o requirements/$$f.txt; done
	@$(PY) -m scripts.npm_lock

clean: ## removes what make made, the demo's state included
	@rm -rf build var .venv .venv-contracts node_modules wallet/dist
