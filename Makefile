# Moa. The two commands to know: `make demo` and `make test`. Each sets up what it needs, once.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory

PY := .venv/bin/python
SETUP := scripts/setup.sh
# Given or chosen free: make demo PORT=8080 RPC_PORT=8545
DEMO := $(if $(ONCE),--once) $(if $(FRESH),--fresh) $(if $(PORT),--port $(PORT)) $(if $(RPC_PORT),--rpc-port $(RPC_PORT))

.PHONY: help demo test check bench setup lint types layers citations unit unit-api unit-rest generate wallet-test forge-test fuzz proofs \
        mutants mutate \
        slither gas slow-test slow-chain slow-end simulate contracts-test hooks locks clean generated recorded

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | column -ts $$'\t'

setup: ## both environments, npm packages, contracts, screens (a second run installs nothing)
	@$(SETUP) app node contracts abi wallet

demo: setup ## Ganache, deploy, replay 6,919 real purchases, verdict, screens (ONCE=1 exits; FRESH=1 starts anew)
	@exec $(PY) -m scripts.cli demo $(DEMO)

test: setup ## everything: check, contracts on Ganache, chain, gateway, wallet, end to end in a browser
	@$(SETUP) browser slither halmos
	@$(MAKE) check
	@$(MAKE) -j2 --output-sync=target contracts-test forge-test gas slither mutants proofs
	@$(MAKE) -j2 --output-sync=target slow-chain slow-end
	@$(MAKE) simulate N=100

check: ## the short part: lint, types, layers, generated files, unit tests
	@$(SETUP) app node contracts abi
	@$(MAKE) lint layers generated citations
	@$(MAKE) -j2 --output-sync=target unit-api unit-rest types wallet-test

lint:
	@.venv/bin/ruff check . && .venv/bin/ruff format --check .
	@npm run --silent lint

types:
	@.venv/bin/mypy && npm run --silent types

layers:
	@.venv/bin/lint-imports

citations: ## every rule of SPECIFICATION.md is cited by a test, and no other
	@$(PY) -m scripts.verify.citations

generate: ## ABI, storage layout, OpenAPI document and the wallet's client, made again
	@$(PY) -m scripts.generate.abi && $(PY) -m scripts.generate.layout && $(PY) -m scripts.generate.openapi && npm run --silent client

recorded: ## the chains that the quick tests of model, replay, reports and evidence know as files, walked anew on Anvil
	@for walk in differential replay reports; do $(PY) -m tests.$$walk.recorded; done
	@MOA_RECORD=1 $(PY) -m pytest -q -m slow tests/chain/evidence/test_recorded.py

generated: generate
	@git diff --exit-code --stat -- chain/contracts/abi chain/proofs/layout.json api/openapi.json wallet/src/api/schema.d.ts || \
	  { echo "Generated files were stale: commit what 'make generate' wrote."; exit 1; }

unit: unit-api unit-rest

unit-api:
	@$(PY) -m pytest -q --durations=10 -m "not slow" tests/api

unit-rest:
	@$(PY) -m pytest -q --durations=10 -m "not slow" tests --ignore tests/api

wallet-test:
	@npm run --silent test

contracts-test: ## Brownie on Ganache
	@$(PY) -m scripts.cli contracts-test

# The forge itself: npm's starter in node_modules/.bin ends with 0 even when tests fail.
FORGE = $(firstword $(wildcard node_modules/@foundry-rs/forge-*/bin/forge))
# Rolled once, so that the seed shown is the seed used.
FORGE_SEED := $(or $(FORGE_SEED),$(shell printf '0x%x' $$RANDOM$$RANDOM))

forge-test: ## fuzz and stateful invariants (256 runs of 64 calls; FORGE_SEED=0x… replays)
	@echo "forge: seed $(FORGE_SEED)"; $(FORGE) test --no-match-path 'tests/forge/Gas*.t.sol' --fuzz-seed $(FORGE_SEED)

fuzz: setup ## twenty times as much
	@echo "forge: seed $(FORGE_SEED)"; FOUNDRY_FUZZ_RUNS=5120 FOUNDRY_INVARIANT_RUNS=5120 \
	  $(FORGE) test --no-match-path 'tests/forge/Gas*.t.sol' --fuzz-seed $(FORGE_SEED)

proofs: ## symbolic proofs by halmos, and a planted bug for each that makes it fail
	@$(PY) -m scripts.verify.proofs

# make mutate MUTANTS=200 SEED=7
MUTANTS ?= 60
mutate: setup ## faults put into the core's Python on purpose: how many the quick tests catch (MUTANTS=60 SEED=1)
	@$(PY) -m scripts.verify.mutate --mutants $(MUTANTS) --seed $(or $(SEED),1)

mutants: ## faults put into the contracts on purpose, each caught by a named test
	@$(PY) -m scripts.verify.mutants

slither: ## static analysis: no high or medium finding without a written reason
	@$(PY) -m scripts.verify.slither

gas: ## gas of whole transactions beside OpenZeppelin's ERC-20, against the snapshot and the bars
	@$(PY) -m scripts.verify.gas

slow-test: slow-chain slow-end ## what needs a node, a database server or a browser

slow-chain:
	@$(PY) -m pytest -q --durations=10 -m slow tests/chain tests/api

slow-end:
	@$(PY) -m pytest -q --durations=10 -m slow tests --ignore tests/chain --ignore tests/api

bench: setup ## side-by-side benchmarks into build/bench.json
	@$(PY) -m scripts.cli bench

# make simulate N=1000 SEED=7; a failing seed replays with N=1, and SHRINK=1 looks for a shorter schedule.
N ?= 100
simulate: ## seeded episodes of real workers that are killed, reorganised and lied to (N=100 SEED=… SHRINK=1)
	@$(SETUP) app node contracts abi
	@$(PY) -W ignore -m tests.simulation.run --episodes $(N) $(if $(SEED),--seed $(SEED)) $(if $(SHRINK),--shrink)

hooks: ## installs the pre-commit hooks
	@.venv/bin/pre-commit install

locks: ## resolves the lock files again (needs uv; writes hashes, never an address)
	@for f in app contracts halmos slither; do uv pip compile -q --generate-hashes --python-version 3.11 --no-header requirements/$$f.in -o requirements/$$f.txt; done
	@$(PY) -m scripts.generate.npm_lock

clean: ## removes what make made, the demo's state included
	@rm -rf build var .venv .venv-contracts node_modules wallet/dist
