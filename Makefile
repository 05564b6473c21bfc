# Oker. `make` lists the targets; every target installs what it needs.
.DEFAULT_GOAL := help
PY := .venv/bin/python
export PYTHONWARNINGS := ignore:XDG_RUNTIME_DIR
SOURCES := contracts libs services tests infra

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

setup:  ## install everything into .venv
	@infra/setup.sh

demo: setup  ## play the whole story on real servers and stop them again
	@$(PY) -m oker_testkit demo

up: setup  ## start everything, play the story and keep it running
	@$(PY) -m oker_testkit up

down: setup  ## stop what `make up` started
	@$(PY) -m oker_testkit down

check: setup  ## format, lint, types, imports, spelling, generated files
	@.venv/bin/ruff format --check --quiet $(SOURCES) || { echo "run: make fix"; exit 1; }
	@.venv/bin/ruff check --quiet $(SOURCES)
	@.venv/bin/mypy
	@mkdir -p build && .venv/bin/lint-imports > build/lint-imports.log 2>&1 || { cat build/lint-imports.log; exit 1; }
	@.venv/bin/codespell
	@$(PY) -m oker_contracts.generate --check
	@echo "check: all good"

fix: setup  ## format and mend what can be mended
	@.venv/bin/ruff check --fix --quiet $(SOURCES) || true
	@.venv/bin/ruff format --quiet $(SOURCES)
	@$(PY) -m oker_contracts.generate

PART = $(wildcard services/$(S) libs/$(S) $(S) tests/$(S))
test: setup  ## run the tests; one part: make test S=sensor-ingest
	$(if $(S),$(if $(PART),,$(error no part is called $(S); try one of $(notdir $(patsubst %/,%,$(wildcard services/* libs/* tests/*/))))))
ifeq ($(S)$(ARGS),)
	@$(PY) -m pytest --numprocesses 2 --dist loadfile --ignore tests/realworld
	@$(PY) -m pytest tests/realworld
else
	@$(PY) -m pytest $(if $(S),$(PART)) $(ARGS)
endif

e2e: setup  ## the story as a test, with killed processes
	@$(PY) -m pytest tests/e2e tests/chaos $(ARGS)

chaos: setup  ## kill -9 at random during 100,000 readings, 20 times; again: OKER_CHAOS_SEED=7 make chaos
	@OKER_CHAOS_READINGS=$${OKER_CHAOS_READINGS:-100000} OKER_CHAOS_KILLS=$${OKER_CHAOS_KILLS:-20} \
	  OKER_CHAOS_SEED=$${OKER_CHAOS_SEED:-$$(date +%s)} $(PY) -m pytest tests/chaos/test_random_kills.py $(ARGS)

realworld: setup  ## recorded messages and hostile inputs of others: how many of how many cases hold
	@$(PY) -m pytest tests/realworld $(ARGS)

fuzz: setup  ## requests of all kinds against the OpenAPI of two services; longer: OKER_FUZZ_SECONDS=900 make fuzz
	@OKER_FUZZ_SECONDS=$${OKER_FUZZ_SECONDS:-120} $(PY) -m pytest tests/openapi $(ARGS)

contracts: setup  ## generate schemas and check samples
	@$(PY) -m oker_contracts.generate
	@$(PY) -m pytest contracts $(ARGS)

bench: setup  ## measure; figures go to build/bench.jsonl
	@$(PY) -m tests.bench $(ARGS)

manifests: setup  ## render and validate the Kubernetes manifests
	@$(PY) infra/manifests.py

ci: setup check manifests test  ## what has to pass before a change lands
	@$(PY) -m tests.bench --short

lock: setup  ## pin the newest versions with hashes
	@infra/lock.sh

clean:  ## remove what was built, not the state of `make up`
	@rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

.PHONY: help setup demo up down check fix test e2e chaos realworld fuzz contracts bench manifests ci lock clean
