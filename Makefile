# The three doors: `make up`, `make setup`, `make test`. Needs Python 3.11 to 3.14 and make, nothing else.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
LOAD_INSTALLED := .venv-load/.installed
STEP := -m local.step
WORKERS ?= 4
SIDE_BY_SIDE := -n $(WORKERS) --dist loadscope --no-loadscope-reorder
DOCS_INSTALLED := .venv-docs/.installed
# Each worker reads all tests and hundreds of processes are started: what is compiled is kept, whatever the shell says.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: test-long test-attacks test-drivers up setup unit test coverage test-faults test-model check docs picture bench-ingest help
.DEFAULT_GOAL := help

help: ## Show these targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

up: setup ## Install what is missing, start everything, show what listens where; Ctrl-C stops it
	@$(BIN)/events up

setup: $(INSTALLED) ## Install into .venv: pinned packages, a JVM, the broker's jars
	@$(BIN)/events install --title "4/4  jars of Kafka and ElasticMQ"

unit: setup ## Run the tests that need no server, in under a minute
	@$(BIN)/pytest --quiet $(SIDE_BY_SIDE) tests/unit tests/filters tests/model

test: setup ## Run the tests against real local servers, WORKERS=4 side by side; some examples of each property
	@$(BIN)/pytest $(SIDE_BY_SIDE) -m "not long" --durations=15

test-long: setup ## All examples of each property and the long stories too, in their short forms
	@TESTS_EXAMPLES=all $(BIN)/pytest $(SIDE_BY_SIDE) --durations=15

coverage: setup ## Lines and branches that `make test` runs, services included; TESTS="tests/unit tests/filters" for some
	@rm -rf .coverage && mkdir .coverage
	@$(BIN)/coverage run -m pytest --quiet $(SIDE_BY_SIDE) -m "not long" $(TESTS); code=$$?; $(BIN)/coverage combine --quiet && $(BIN)/coverage report; exit $$code

test-faults: setup ## kill -9 materializer, ClickHouse and routers 500 times each, ClickHouse a minute away; brokers of a cluster
	@TESTS_FAULTS_KILLS=$${TESTS_FAULTS_KILLS:-500} TESTS_FAULTS_AWAY_S=$${TESTS_FAULTS_AWAY_S:-60} TESTS_FAULTS_CLUSTER=long \
		$(BIN)/pytest tests/faults tests/cluster tests/view -s

test-drivers: setup ## ClickHouse clients of Python, Java, Node and Go against the local endpoint; Go's first build takes a minute
	@$(BIN)/pytest tests/drivers

test-attacks: setup ## What another tenant feels of attacks: p99 beside them to p99 without; run nothing else meanwhile
	@TESTS_ATTACKS_MEASURED=1 $(BIN)/pytest tests/attacks tests/e2e/test_pressure.py

test-model: setup ## The state machine over the materializer's steps, 50,000 orders of events and 2,000 of Hypothesis
	@TESTS_MODEL_ORDERS=$${TESTS_MODEL_ORDERS:-50000} TESTS_MODEL_EXAMPLES=$${TESTS_MODEL_EXAMPLES:-2000} $(BIN)/pytest tests/model -s

check: setup ## Format, lint, types, links of the documents
	@$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/pytest --quiet tests/unit/test_links.py

docs: setup $(DOCS_INSTALLED) ## Write the generated references, then the site: .site/index.html; a broken link is an error
	@$(BIN)/python -m docs.make
	@.venv-docs/bin/sphinx-build --quiet --nitpicky --fail-on-warning docs .site && echo "written: .site/index.html"

picture: setup ## Draw docs/events.svg and docs/console-*.png anew, on stacks of their own
	@$(BIN)/python -m docs.make.picture
	@TESTS_PICTURES=docs $(BIN)/pytest --quiet tests/console/test_pictures.py

bench-ingest: setup $(LOAD_INSTALLED) ## Measure the edge, then a load test; LOAD="--seconds 60 --users 100"
	@$(BIN)/python -m bench.ingest
	@$(BIN)/python -m bench.load_test $(LOAD)

$(INSTALLED): requirements/uv.txt requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 14) else "Python 3.11 to 3.14 is needed, $(PYTHON) is %d.%d. Name another one: make $(MAKECMDGOALS) PYTHON=python3.12" % v)'
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "$(PYTHON) has no ensurepip. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@$(PYTHON) $(STEP) "1/4  virtual environment" $(PYTHON) -m venv .venv
	@$(PYTHON) $(STEP) "2/4  installer" $(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@$(PYTHON) $(STEP) "3/4  packages, 1 GB on disk" $(BIN)/uv pip sync --compile-bytecode --python $(BIN)/python --require-hashes requirements/dev.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

# Locust brings its own pytest and Flask: a virtual environment of its own keeps them out of ours.
$(LOAD_INSTALLED): requirements/load.txt | $(INSTALLED)
	@$(BIN)/python -m venv --without-pip .venv-load
	@$(BIN)/python $(STEP) "packages of the load test" $(BIN)/uv pip sync --compile-bytecode --python .venv-load/bin/python --require-hashes requirements/load.txt
	@touch $@

# Sphinx and its theme are for writing the site alone.
$(DOCS_INSTALLED): requirements/docs.txt | $(INSTALLED)
	@$(BIN)/python -m venv --without-pip .venv-docs
	@$(BIN)/python $(STEP) "packages of the site" $(BIN)/uv pip sync --compile-bytecode --python .venv-docs/bin/python --require-hashes requirements/docs.txt
	@touch $@
