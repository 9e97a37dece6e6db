# Everything here sets itself up on a machine that has Python 3.11 and make.
#   make install  the environment .venv, with everything that runs on a laptop (the other targets make it themselves)
#   make demo    a small language model learns without labels, against the real service
#   make experiment  every method at three learning rates with three seeds: an hour and a half, runs/experiments/core
#   make experiment-smollm2    four methods with a language model of 135 million parameters: an hour and a half (installs 4 GB beside)
#   make evidence    the tables, curves and figures of docs/evidence.md, from the experiments in runs/experiments
#   make test    the checks and the whole suite of tests
#   make check   ruff, pyright, import-linter
#   make coverage    branch coverage by the quick tests; fails below the floor in pyproject.toml
#   make docs    the documentation as a site with search: runs/site/index.html
#   make pictures    the pictures of docs/concepts.md; the picture, table and terminal of the last `make demo`
#   make architecture    the made parts of docs/architecture.md: the floors, the way of a rollout
#   make dashboards   Grafana's dashboards, from the table of metrics
#   make histories   long drawn histories of cohorts and batches, beside a model of what they must come to
#   make mutants     rules and scripts are changed one place at a time: what do the tests not notice? (hours; goes on where it stopped)
#   make bench   rollouts per second next to a no-op endpoint
#   make bench-step      seconds from a batch's last rollout to its last reward
#   make bench-ema       the teacher's average next to torch's own in-place lerp
#   make bench-robustness    co-rewarding-i with wrong paraphrases, with the quarantine and without
#   make bench-steady    2,000 training steps: do memory and latency of the service stay? (half an hour)
#   make bench-prefetch  how much of the teacher's time a trainer sees
#   make bench-grading   how right, fast and safe the grader is, next to others
#   make helm    the Helm chart: lint, six sets of values, every object by its schema (Linux on x86-64; fetches helm)
#   make e2e     OpenRLHF's own client, and kills, against the service
#   make store-kills 300 kills of the store under load, over a Unix socket and over TCP
#   make e2e-failover    20 kills of the store's primary under load, hangs and splits, with sentinels and in a cluster
#   make chaos   10 minutes of load while everything is killed, silenced and filled up, drawn from a seed
#   make e2e-compose     docker-compose up for real: images, kills, the demo (needs a Docker engine and docker-compose)
#   make loadtest    traffic as trainers send it, against a service of its own: runs/loadtest/report.md
#   make bench-paraphrases    what the checks of a paraphrase catch of planted faults
#   make bench-capacity  how much the service takes, by kind of traffic and number of workers
#   make bench-held-calls what the client takes for calls that are all held at once, by httpx and by aiohttp
#   make gpu-check    teacher, average and trainer on a GPU, or in a small size on the CPU: runs/gpu-check/gpu-check.md
#   make bench-fairness  what a flood of hard answers in one run does to another run
#   make bench-durability    what a rollout costs that waits for a replica of the store
#   make bench-stored    what a rollout costs beside 100 and beside a million stored cohorts
#   make soak    45 minutes: a million cohorts while parts are restarted in turn; does anything grow? docs/soak.md
#   make bench-unit-costs    what a rollout costs each part of the service
#   make bench-held-many     65,536 singles held at once by four API processes
#   make bench-two-nodes     an API process behind a slower link than its store's (needs root and iproute2)
#   make sizing  the three above, and the tables of docs/sizing.md
#   make e2e-vllm        the real vLLM under swapped weights, and as a rewriter, on the CPU (the same installation)
#   make e2e-openrlhf    OpenRLHF, vLLM and DeepSpeed train for real, on the CPU (installs 4 GB beside)
#   make e2e-openrlhf-wide    the same with several ranks and engines, ZeRO-3, asynchronous, filtered
#   make e2e-trl e2e-verl e2e-slime e2e-swift e2e-gym e2e-verifiers e2e-tinker e2e-areal e2e-skyrl    each adapter, with its framework's own
#                        code on the CPU (installs the framework beside, 1 to 2 GB)
#   make e2e-ray     a service within a Ray cluster of two nodes: kills, scaling, a node that dies (installs Ray beside)
#   make e2e-ray-openrlhf    OpenRLHF trains on a Ray cluster on which the service is up, and finds it by name (4 GB, as above)
#   make bench-ray   the API as a Ray actor and under Ray Serve, next to the bare process (the same installation)
#   make e2e-trackers    `co-rewarding track` with tensorboard, trackio, wandb and MLflow themselves (installs them beside)
#   make e2e-openrlhf-smollm2    two steps with a language model that can speak

PYTHON ?= python3
VENV ?= .venv
OPENRLHF_VENV ?= .venv-openrlhf
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCKED := $(PIP) install --no-deps --require-hashes --requirement
PYTEST := $(BIN)/python -m pytest

.PHONY: help install demo experiment experiment-smollm2 evidence test check docs pictures helm coverage architecture dashboards histories mutants bench bench-step bench-ema bench-grading bench-prefetch bench-robustness bench-steady e2e e2e-vllm e2e-openrlhf e2e-openrlhf-wide e2e-openrlhf-smollm2 e2e-openrlhf-client e2e-compose e2e-trl e2e-verl e2e-slime e2e-swift e2e-gym e2e-verifiers e2e-tinker e2e-areal e2e-skyrl e2e-trackers e2e-ray e2e-ray-openrlhf bench-ray store-kills e2e-failover chaos loadtest bench-capacity bench-durability bench-stored bench-paraphrases bench-fairness bench-held-calls bench-unit-costs bench-held-many bench-two-nodes sizing soak gpu-check clean

help:
	@sed -n 's/^#   *//p' Makefile | fold -s -w 76 | sed '/^make /!s/^/    /'

$(BIN)/python:
	@echo "Making $(VENV) with $(PYTHON)"
	@scripts/make-venv "$(PYTHON)" "$(VENV)"

# What is installed is locked by version and hash (scripts/lock), but for torch, whose build depends on the machine.
# pip is quiet, so that what it installs is told before.
define install_locked
	@echo "Installing into $(VENV), about 2 GB at first; nothing more is said until each part is done."
	@echo "1 of 3: $$(grep -c == deploy/locks/$(1).txt) packages of deploy/locks/$(1).txt, some minutes"
	@$(LOCKED) deploy/locks/$(1).txt
	@echo "2 of 3: torch for this machine"
	@$(PIP) install --no-deps --constraint constraints.txt torch
	@echo "3 of 3: co-rewarding itself"
	@$(PIP) install --no-deps --editable .
endef

$(VENV)/.local: $(BIN)/python pyproject.toml constraints.txt deploy/locks/local.txt
	$(call install_locked,local)
	@touch $@

$(VENV)/.dev: $(BIN)/python pyproject.toml constraints.txt deploy/locks/dev.txt
	$(call install_locked,dev)
	@touch $@ $(VENV)/.local

$(VENV)/.openrlhf: $(VENV)/.dev deploy/locks/openrlhf.txt
	@echo "Installing OpenRLHF's client code into $(VENV)"
	@$(LOCKED) deploy/locks/openrlhf.txt
	@touch $@

$(VENV)/.docs: $(VENV)/.dev deploy/locks/docs.txt
	@echo "Installing what builds the documentation into $(VENV)"
	@$(LOCKED) deploy/locks/docs.txt
	@touch $@

install: $(VENV)/.local

demo: $(VENV)/.local
	$(BIN)/co-rewarding demo

experiment: $(VENV)/.local
	$(BIN)/co-rewarding experiment core

# transformers of the other installation reads the model, as the package registry has it; the training needs it no more.
experiment-smollm2: $(VENV)/.local runs/smollm2-135m/tokenizer.json
	$(BIN)/co-rewarding experiment trainer/suites/smollm2.toml

evidence: $(VENV)/.dev
	$(BIN)/python -m scripts.site.evidence runs/experiments

test: check $(VENV)/.openrlhf $(VENV)/.docs
	@$(MAKE) --no-print-directory $(HELM) || echo "helm cannot be fetched here: the tests of the chart are skipped"
	$(PYTEST) --numprocesses 2 --dist loadfile --no-loadscope-reorder

HELM := runs/helm/custom.json
$(HELM): $(VENV)/.dev scripts/fetch-helm deploy/locks/helm/tools.txt
	$(BIN)/python scripts/fetch-helm $(@D)
	@touch $@

helm: $(HELM)
	$(PYTEST) tests/deploy -k helm

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

pictures: $(VENV)/.dev
	$(BIN)/python -m scripts.site.pictures
	$(if $(wildcard runs/demo/series.json),$(BIN)/python -m scripts.site.terminal runs/demo/series.json)
	$(if $(wildcard runs/demo/series.json),$(BIN)/python -m scripts.site.demo_page demo runs/demo)

# Not a part of `make test`, whose tests would take twice the CPU time (CONTRIBUTING.md).
COVERED := tests/domain tests/api tests/client tests/store tests/grading tests/replay tests/verify tests/workers
coverage: $(VENV)/.dev
	rm -rf runs/coverage
	mkdir -p runs/coverage
	$(BIN)/python -m coverage run -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder -m "not timed" $(COVERED)
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report

architecture: $(VENV)/.dev
	$(BIN)/python -m tests.architecture

dashboards: $(VENV)/.dev
	$(BIN)/python -m deploy.grafana.panels

histories: $(VENV)/.dev
	MACHINE_EXAMPLES=$${MACHINE_EXAMPLES:-500} $(PYTEST) tests/contract/test_*_machine.py --timeout 0

# cosmic-ray's operators, apart from what the project installs: its own needs are many.
runs/mutants/tools: $(VENV)/.dev
	@echo "Installing cosmic-ray into $@"
	@$(PIP) install --no-deps --target $@ cosmic-ray==8.7.0 parso==0.8.7 stevedore==5.10.0

mutants: runs/mutants/tools
	nice $(BIN)/python -m tests.mutation named
	nice $(BIN)/python -m tests.mutation lua
	nice $(BIN)/python -m tests.mutation domain

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks.throughput

bench-step: $(VENV)/.openrlhf
	$(BIN)/python -m benchmarks.step_time

bench-ema: $(VENV)/.dev
	$(BIN)/python -m benchmarks.ema

bench-robustness: $(VENV)/.dev
	$(BIN)/python -m benchmarks.robustness

bench-steady: $(VENV)/.dev
	$(BIN)/python -m benchmarks.steady_training

bench-prefetch: $(VENV)/.dev
	$(BIN)/python -m benchmarks.prefetch

bench-grading: $(VENV)/.dev
	$(BIN)/python -m benchmarks.grading

bench-capacity: $(VENV)/.dev
	$(BIN)/python -m benchmarks.capacity

bench-durability: $(VENV)/.dev
	$(BIN)/python -m benchmarks.durability

bench-stored: $(VENV)/.dev
	$(BIN)/python -m benchmarks.stored

bench-held-calls: $(VENV)/.dev
	$(BIN)/python -m benchmarks.held_calls

bench-fairness: $(VENV)/.dev
	$(BIN)/python -m benchmarks.fairness

bench-unit-costs: $(VENV)/.dev
	$(BIN)/python -m benchmarks.unit_costs

bench-held-many: $(VENV)/.dev
	$(BIN)/python -m benchmarks.held_many

bench-two-nodes: $(VENV)/.dev
	$(BIN)/python -m benchmarks.two_nodes

sizing: bench-unit-costs bench-held-many bench-two-nodes
	$(BIN)/python -m benchmarks.sizing --write

SOAK_MINUTES ?= 45
SOAK_COHORTS ?= 1000000
SOAK_SEED ?= 1
soak: $(VENV)/.dev
	$(BIN)/python -m benchmarks.soak --minutes $(SOAK_MINUTES) --cohorts $(SOAK_COHORTS) --seed $(SOAK_SEED) --docs docs

gpu-check: $(VENV)/.dev
	PYTHON=$(BIN)/python scripts/gpu-check

bench-paraphrases: $(VENV)/.dev
	$(BIN)/python -m benchmarks.paraphrase_faults
	$(BIN)/python -m benchmarks.paraphrase_exam

loadtest: $(VENV)/.dev
	$(BIN)/co-rewarding loadtest

store-kills: $(VENV)/.dev
	CO_REWARDING_STORE_KILLS=300 $(PYTEST) tests/e2e/test_store_killed_often.py -s

chaos: $(VENV)/.dev
	CO_REWARDING_CHAOS_S=$${CO_REWARDING_CHAOS_S:-600} CO_REWARDING_CHAOS_SEED=$${CO_REWARDING_CHAOS_SEED:-$$(date +%s)} \
		$(PYTEST) tests/e2e/test_chaos.py -s

e2e-failover: $(VENV)/.dev
	CO_REWARDING_FAILOVERS=$${CO_REWARDING_FAILOVERS:-20} $(PYTEST) tests/e2e/test_failover.py tests/e2e/test_cluster_failover.py -m "failover or not failover" -s

e2e-compose: $(VENV)/.dev
	$(PYTEST) tests/e2e/test_compose.py -m compose

e2e: $(VENV)/.openrlhf
	$(PYTEST) tests/e2e

$(OPENRLHF_VENV)/.installed: scripts/install-openrlhf-cpu
	@echo "Installing OpenRLHF, vLLM and DeepSpeed for the CPU into $(OPENRLHF_VENV): 4 GB, some minutes of silence"
	@scripts/install-openrlhf-cpu "$(OPENRLHF_VENV)" "$(PYTHON)"
	@touch $@

e2e-vllm: $(VENV)/.dev $(OPENRLHF_VENV)/.installed runs/smollm2-135m/tokenizer.json
	OPENRLHF_VENV="$(OPENRLHF_VENV)" $(PYTEST) tests/generation tests/paraphrasing -m vllm

e2e-openrlhf: $(VENV)/.dev $(OPENRLHF_VENV)/.installed
	OPENRLHF_VENV="$(OPENRLHF_VENV)" $(PYTEST) tests/e2e -m "openrlhf_training and not slow"

e2e-ray-openrlhf: $(VENV)/.dev $(OPENRLHF_VENV)/.installed
	OPENRLHF_VENV="$(OPENRLHF_VENV)" $(PYTEST) tests/e2e/test_openrlhf_on_ray.py -m openrlhf_training -s

e2e-openrlhf-wide: $(VENV)/.dev $(OPENRLHF_VENV)/.installed
	OPENRLHF_VENV="$(OPENRLHF_VENV)" $(PYTEST) tests/e2e -m "openrlhf_training and slow"

runs/smollm2-135m/tokenizer.json: $(OPENRLHF_VENV)/.installed scripts/make-smollm2
	$(OPENRLHF_VENV)/bin/python scripts/make-smollm2 $(@D)

e2e-openrlhf-smollm2: $(VENV)/.dev $(OPENRLHF_VENV)/.installed runs/smollm2-135m/tokenizer.json
	OPENRLHF_VENV="$(OPENRLHF_VENV)" PYTHONPATH=. $(BIN)/python tests/e2e/smollm2.py runs/smollm2-135m

FRAMEWORK_TESTS ?= framework

# Each framework has an environment of its own: their requirements contradict each other.
.venv-gym/.installed: PYTHON := $(or $(shell command -v python3.12),python3)
.venv-%/.installed: deploy/locks/frameworks/%.txt scripts/install-framework
	@echo "Installing $$(grep -c == $<) packages of $< into $(@D): up to 2 GB, some minutes of silence"
	@scripts/install-framework $* $(@D) "$(PYTHON)"
	@touch $@

.PRECIOUS: .venv-%/.installed
e2e-trl e2e-verl e2e-swift e2e-gym e2e-verifiers e2e-tinker e2e-trackers: e2e-%: $(VENV)/.dev .venv-%/.installed
	$(PYTEST) $(wildcard tests/frameworks/test_$*.py tests/frameworks/test_$*_*.py) -m "$(FRAMEWORK_TESTS)"

e2e-slime e2e-areal e2e-skyrl: e2e-%: $(VENV)/.dev
	$(PYTEST) tests/frameworks/test_$*.py -m "$(FRAMEWORK_TESTS)"

# Ray's tests join the cluster, so they run in its environment.
e2e-ray: .venv-ray/.installed
	.venv-ray/bin/python -m pytest tests/on_ray -m "$(FRAMEWORK_TESTS)" -s

bench-ray: .venv-ray/.installed
	.venv-ray/bin/python -m benchmarks.on_ray

e2e-openrlhf-client: $(VENV)/.openrlhf
	$(PYTEST) tests/e2e -m openrlhf

clean:
	rm -rf $(VENV) $(OPENRLHF_VENV) .pytest_cache .ruff_cache .hypothesis .import_linter_cache
