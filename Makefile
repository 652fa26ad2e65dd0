# What needs doing, in the order in which a person meets it. `make` alone lists it.
BIN := .venv/bin
# What the user's environment tells Python (another project's PYTHONPATH, PYTHONSAFEPATH) is not for
# the one in .venv. Without PYTHONDONTWRITEBYTECODE what it compiles is kept there: else each process
# compiles anew, for ten seconds.
unexport $(filter PYTHON%,$(filter-out PYTHON,$(.VARIABLES)))

RUNNING := .venv/running
TESTING := .venv/testing
LOCK := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-strip-extras --quiet

.DEFAULT_GOAL := help
.PHONY: help run test test-quick faults benchmark browser database lint format serve rollback \
	rebuild forget inspect lock clean

help:           ## List these commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

run: $(RUNNING) ## Take in what has landed, rebuild what changed, test it, publish it
	@$(BIN)/python -m orchestration

test: $(TESTING) lint browser database ## Run everything that CI runs
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=20 -rs

test-quick: $(TESTING) lint ## Run what is useful while working on a model: under two minutes
	$(BIN)/python -m pytest -m "not slow and not faults" --durations=5

faults: $(TESTING) ## Inject every fault that a night may meet; MINUTES=10 of them random histories
	@command -v faketime > /dev/null \
		|| { apt-get update && apt-get install --yes faketime; } > /dev/null 2>&1 \
		|| echo "A clock that is set back will fail: install faketime, for instance with apt-get"
	$(BIN)/python -m pytest -n 2 --dist worksteal -m faults

benchmark: $(TESTING) ## Measure everything, and write benchmarks/README.md; takes two hours
	$(BIN)/python -m benchmarks

browser:        ## Install the browser that the tests of the page drive, if there is none
	@command -v chromium > /dev/null \
		|| { apt-get update && apt-get install --yes chromium; } > /dev/null 2>&1 \
		|| echo "The page is NOT tested: install chromium, for instance with apt-get"

database:       ## Install the PostgreSQL that tests start, if there is none
	@ls /usr/lib/postgresql/*/bin/initdb > /dev/null 2>&1 \
		|| { apt-get update && apt-get install --yes postgresql; } > /dev/null 2>&1 \
		|| echo "Reading LiteLLM's database is NOT tested: install postgresql, for instance with apt-get"

lint: $(TESTING) ## Check how the code reads
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports --no-cache
	$(BIN)/sqlfluff lint --processes 2 models tests/singular

format: $(TESTING) ## Mend what lint can mend by itself
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/sqlfluff fix --processes 2 models tests/singular

serve: $(RUNNING) ## Run every night; Dagster at http://127.0.0.1:3000, the page at :8000
	@exec $(BIN)/python -m orchestration serve

rollback: $(RUNNING) ## Publish the version before again
	@$(BIN)/python -m orchestration rollback

rebuild: $(RUNNING) ## Build days anew: FROM=2026-01-01 TO=2026-01-31, or everything
	@$(BIN)/python -m orchestration rebuild $(if $(FROM),--first-date $(FROM)) \
		$(if $(TO),--last-date $(TO))

# An id or a path is taken as it is: nothing that looks like make's in it means anything. USER is
# whoever is logged in, and names nobody here.
override PERSON := $(value PERSON)
override PERSON_FILE := $(value PERSON_FILE)
forget: export PERSON := $(PERSON)
forget: export PERSON_FILE := $(PERSON_FILE)
forget: $(RUNNING) ## Remove a person from everything, and prove it: PERSON=their-id, or PERSON_FILE=path
	@$(BIN)/python -m orchestration forget $(if $(filter 1,$(YES)),--yes)

override FILE := $(if $(filter command%,$(origin FILE)),$(value FILE))
inspect: export FILE := $(FILE)
inspect: $(RUNNING) ## Say what a log of yours would be taken for, and take nothing in: FILE=path
	@$(BIN)/python -m orchestration inspect --file "$$FILE"

lock: $(TESTING) ## Choose versions anew
	$(LOCK) --upgrade --group dev pyproject.toml -o requirements-dev.lock
	$(LOCK) --upgrade -c requirements-dev.lock pyproject.toml -o requirements.lock

clean:          ## Remove the environment and what dbt left, but no data
	rm -rf .venv target logs

# $(RUNNING) and $(TESTING) are there once all that their lock lists is installed. .venv is made
# anew when requirements.lock changes, its Python is gone, or PYTHON=... asks for another one.
identity = $(shell $(1) -c 'import sys; print(sys.base_prefix, sys.version)' 2> /dev/null \
	|| echo $(1))
ifeq ($(shell test -x $(BIN)/python && echo there),)
ANEW := anew
else ifneq ($(PYTHON),)
ifneq ($(call identity,$(PYTHON)),$(call identity,$(BIN)/python))
ANEW := anew
endif
endif
.PHONY: anew

$(RUNNING): requirements.lock $(ANEW)
	@PYTHON="$(PYTHON)" deploy/environment.sh running

$(TESTING): requirements-dev.lock $(RUNNING)
	@deploy/environment.sh testing
