# What needs doing, in the order in which a person meets it. `make` alone lists it.
PYTHON ?= python3.11
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help run test test-quick faults benchmark browser database lint format serve rollback \
	rebuild forget lock clean

help:           ## List these commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

run: .venv      ## Take in what has landed, rebuild what changed, test it, publish it
	@$(BIN)/python -m orchestration

test: .venv lint browser database ## Run everything that CI runs
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=20 -rs

test-quick: .venv lint ## Run what is useful while working on a model: under two minutes
	$(BIN)/python -m pytest -m "not slow and not faults" --durations=5

faults: .venv   ## Inject every fault that a night may meet, and thirty nights: a quarter of an hour
	@command -v faketime > /dev/null \
		|| { apt-get update && apt-get install --yes faketime; } > /dev/null 2>&1 \
		|| echo "A clock that is set back will fail: install faketime, for instance with apt-get"
	$(BIN)/python -m pytest -n 2 --dist worksteal -m faults

benchmark: .venv ## Measure everything, and write benchmarks/README.md; takes two hours
	$(BIN)/python -m benchmarks

browser:        ## Install the browser that the tests of the page drive, if there is none
	@command -v chromium > /dev/null \
		|| { apt-get update && apt-get install --yes chromium; } > /dev/null 2>&1 \
		|| echo "The page is NOT tested: install chromium, for instance with apt-get"

database:       ## Install the PostgreSQL that tests start, if there is none
	@ls /usr/lib/postgresql/*/bin/initdb > /dev/null 2>&1 \
		|| { apt-get update && apt-get install --yes postgresql; } > /dev/null 2>&1 \
		|| echo "Reading LiteLLM's database is NOT tested: install postgresql, for instance with apt-get"

lint: .venv     ## Check how the code reads
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/sqlfluff lint --processes 2 models tests/singular

format: .venv   ## Mend what lint can mend by itself
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/sqlfluff fix --processes 2 models tests/singular

serve: .venv    ## Run every night; Dagster at http://127.0.0.1:3000, the page at :8000
	@exec $(BIN)/python -m orchestration serve

rollback: .venv ## Publish the version before again
	@$(BIN)/python -m orchestration rollback

rebuild: .venv  ## Build days anew: FROM=2026-01-01 TO=2026-01-31, or everything
	@$(BIN)/python -m orchestration rebuild $(if $(FROM),--first-date $(FROM)) \
		$(if $(TO),--last-date $(TO))

forget: .venv   ## Remove a person from everything, and prove it: USER=their-id
	@$(BIN)/python -m orchestration forget \
		--user "$(if $(filter command%,$(origin USER)),$$USER)"

lock: .venv     ## Choose versions anew
	$(BIN)/uv pip compile --upgrade --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-strip-extras --group dev pyproject.toml -o requirements.lock

clean:          ## Remove the environment and what dbt left, but no data
	rm -rf .venv target logs

# Made anew whenever the lock changes. uv takes seconds where pip takes minutes. Compiled here, once:
# where PYTHONDONTWRITEBYTECODE is set every process would compile all that it imports, for seconds.
.venv: requirements.lock
	@echo "Preparing the environment in .venv, once"
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
	@$(BIN)/uv pip install --quiet --compile-bytecode \
		--python $(BIN)/python --require-hashes -r requirements.lock
	@touch .venv
