# `make up` and `make test` are all that a newcomer needs; the rest is for development.
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
STAMP := $(VENV)/.made
CORES := $(shell nproc)

.PHONY: setup up down status test lint types bench bench-scale soak clean

setup: $(STAMP)

# Everything into .venv: the locked dependencies, then the project itself with its native part. Safe to repeat.
$(STAMP): requirements.lock pyproject.toml setup.py src/barnabas/wire/records/_native.c
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Barnabas needs Python 3.11 or newer; $(PYTHON) is older. Name another: make PYTHON=python3.12 setup"; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q src/barnabas
	@touch $@

# A cluster of NODES at the first time; then what is there.
NODES ?= 3
DATA = $${BARNABAS_DATA:-data}
up: setup
	@if test -e $(DATA)/server.properties || test -e $(DATA)/node-1; then $(BIN)/barnabas up; else $(BIN)/barnabas up --nodes $(NODES); fi

down: setup
	@$(BIN)/barnabas down

.PHONY: restart
restart: setup
	@$(BIN)/barnabas restart

status: setup
	@$(BIN)/barnabas status

# Tests that start no nodes run on all cores; of those that do, three files at a time, since they wait a good part of it; then those that nothing may run beside.
test: export PYTHONDONTWRITEBYTECODE =  # what pytest makes of the tests' files is made once, not by each process
test: setup tools lint
	@failed=""; \
	$(BIN)/python -m tests.apache.class_archive & archive=$$!; \
	$(BIN)/mypy || { wait $$archive; exit 1; }; \
	$(BIN)/python -m pytest -n $(CORES) --dist worksteal -m "not node and not apache" || failed="$$failed first"; \
	wait $$archive || exit 1; \
	$(BIN)/python -m pytest -n 3 --dist loadgroup -m "(node or apache) and not alone" || failed="$$failed second"; \
	$(BIN)/python -m pytest -m alone || failed="$$failed third"; \
	test -z "$$failed" || { echo "make test: failed in its$$failed run of three: each names its failures at its end"; exit 1; }

# Programs of the system that tests run beside Python's: Java and Maven for Apache Kafka itself, kcat as a client.
.PHONY: tools
tools:
	@missing=""; \
	command -v kcat >/dev/null || missing="$$missing kcat"; \
	command -v java >/dev/null || missing="$$missing openjdk-17-jre-headless"; \
	command -v mvn >/dev/null || missing="$$missing maven"; \
	command -v cc >/dev/null || missing="$$missing gcc"; \
	test -z "$$missing" || { test "$$(id -u)" = 0 && apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install $$missing >/dev/null; } || \
	{ echo "The tests need these Debian packages: apt-get install$$missing"; exit 1; }

lint: setup
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --quiet --check

types: setup
	@$(BIN)/mypy

# Side by side with Apache Kafka, about an hour: a node under load; a node of many topics, groups and connections; three nodes, loaded and killed.
bench: bench-node bench-scale bench-cluster

.PHONY: bench-node
bench-node: setup tools bench-tools
	@$(BIN)/python -m bench.run

bench-scale: setup tools bench-tools
	@$(BIN)/python -m bench.scale

.PHONY: bench-cluster
bench-cluster: setup tools bench-tools
	@$(BIN)/python -m bench.cluster

# What single parts cost: messages beside the kio package; validation of batches, native and in Python.
.PHONY: bench-parts
bench-parts: setup
	@$(BIN)/python -m bench.codec | tee bench/CODEC.txt
	@$(BIN)/python -m bench.records | tee bench/RECORDS.txt

# The performance tools beside Apache Kafka's own, on one node of either engine.
.PHONY: bench-perf-tools
bench-perf-tools: setup
	@$(BIN)/python -m bench.perf_tools

.PHONY: bench-tools
bench-tools:
	@test -e /usr/include/librdkafka/rdkafka.h || { test "$$(id -u)" = 0 && apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install librdkafka-dev >/dev/null; } || \
	{ echo "The benchmark needs this Debian package: apt-get install librdkafka-dev"; exit 1; }

# Longer than a test may take: hostile inputs, kill -9 under load, slow clients, transactions through kills, everything at once on a few partitions. Shorter: make soak INPUTS=100000 KILLS=20 SECONDS=60.
INPUTS ?= 1000000
KILLS ?= 100
SECONDS ?= 3600
soak: setup tools
	@INPUTS=$(INPUTS) KILLS=$(KILLS) SECONDS=$(SECONDS) $(BIN)/python -m pytest tests/soak --ignore-glob "*/test_cluster*" --timeout 36000 -s

# Three nodes and more through everything that tests/cluster/stories.py tells: ten minutes, or make soak-cluster SECONDS=3600.
.PHONY: soak-cluster
soak-cluster: SECONDS = 600
soak-cluster: setup tools
	@SECONDS=$(SECONDS) $(BIN)/python -m pytest tests/soak/test_cluster.py --timeout 36000 -s

# The tests of nodes on a machine that stands still now and then: which of them a busy machine would fail. TESTS=tests/system: some of them.
.PHONY: soak-stalls
soak-stalls: TESTS = tests
soak-stalls: setup tools
	@$(BIN)/python -m tests.soak.stalls 1.5 4 $(BIN)/python -m pytest -n 2 --dist loadgroup -m "(node or apache) and not alone" --ignore tests/soak $(TESTS)

# Simulated clusters in which everything goes wrong: the quorum alone and whole clusters, until it is interrupted or for MINUTES=10; or SEEDS=17 of the quorum,
# CLUSTERS=0-999 of whole clusters; WITHOUT and UNTIL as a failure says. And whether planted bugs are found.
.PHONY: simulate simulate-mutants
simulate: setup
	@$(BIN)/python -m tests.simulation $(if $(SEEDS),--seeds $(SEEDS)) $(if $(CLUSTERS),--clusters $(CLUSTERS)) $(if $(WITHOUT),--without $(WITHOUT)) $(if $(UNTIL),--until $(UNTIL)) $(if $(MINUTES),--minutes $(MINUTES))

simulate-mutants: setup
	@$(BIN)/python -m pytest tests/simulation/quorum/test_quorum.py tests/simulation/cluster/check_mutants.py -k finds

clean:
	rm -rf $(VENV) build *.egg-info src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
