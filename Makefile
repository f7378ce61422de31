# Everything a contributor types. `make` alone lists it.
PYTHON ?= python3
VENV    := .venv
BIN     := $(VENV)/bin
READY   := $(VENV)/.ready
CLIENTS := .venv-clients
BROWSER := .venv-browser
FUZZER  := .venv-fuzz
DEPLOY  := .venv-deploy
RUNS    := .venv-runs
LOCK    := --quiet --universal --generate-hashes --no-emit-index-url --no-annotate --python-version 3.11 \
           --custom-compile-command 'make lock'

# Where it is set, each of the programs that tests start would compile every source anew.
unexport PYTHONDONTWRITEBYTECODE

# What the package with helm requires for uses other than ours.
NO_CDK  := $(patsubst %,--no-emit-package %,aws-cdk-lib aws-cdk-asset-awscli-v1 aws-cdk-asset-node-proxy-agent-v6 \
           aws-cdk-cloud-assembly-schema jsii constructs publication cattrs typeguard)

.DEFAULT_GOAL := help
.PHONY: help demo demo-keep picture pictures sessions test slow walkthroughs test-clients test-browser test-chart test-cluster endure manifests soak stories transcripts messages reasons man explore exhaust mutants fuzz lint format bench bench-scale lock image sbom clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

demo: $(READY) ## a simulated Azure fleet follows specs/ to the declared images, in under a minute
	@$(BIN)/python -m demo

demo-keep: $(READY) ## the same, until Ctrl-C, with the commands to type in a second terminal
	@$(BIN)/python -m demo.keep

picture: $(READY) ## draw docs/demo.svg anew, from what the demo writes to a terminal
	@$(BIN)/python -m demo.picture

pictures: $(BROWSER)/.ready ## take docs/pictures/ and tests/browser/grids/ anew, of a fleet in which everything occurs (needs chromium)
	@$(BROWSER)/bin/python -m tests.browser.pictures

sessions: $(READY) ## what terminals of three sizes show of 3, 60 and 1,000 scale sets, in .demo/sessions (needs tmux)
	@$(BIN)/python -m tests.sessions .demo/sessions

test: $(READY) lint ## lint, types, and the suite
	@$(BIN)/pytest -n auto -m "not slow"

slow: $(READY) ## most stories, the transcripts, and other tests that take long
	@$(BIN)/pytest -n auto -m slow

walkthroughs: $(READY) ## what the README and the how-to pages have their reader type, typed (slow: most of it is waiting)
	@$(BIN)/pytest -n 6 tests/walkthroughs

test-clients: $(READY) $(CLIENTS)/.ready ## az, its SDK and azurerm, unmodified, on the simulator (slow)
	@$(BIN)/pytest tests/clients

test-cluster: $(READY) $(DEPLOY)/.ready ## three replicas, and the chart, on a real Kubernetes API server, compiled once (slow, Debian 12)
	@[ -n "$$RECONCILER_TEST_KUBECONFIG" ] || tests/cluster/binaries .kube
	@RECONCILER_TEST_KUBE=.kube $(BIN)/pytest tests/cluster

endure: $(READY) ## three replicas and a fault a minute for CLUSTER_MINUTES, 60 unless given, and what came of it (Debian 12)
	@tests/cluster/binaries .kube
	@RECONCILER_TEST_KUBE=.kube CLUSTER_MINUTES=$${CLUSTER_MINUTES:-60} $(BIN)/pytest tests/cluster/test_endurance.py
	@cat .kube/endurance.txt

test-chart: $(READY) $(DEPLOY)/.ready ## helm lints and renders the chart, and its documents fit the schemas of Kubernetes
	@$(BIN)/pytest -n auto tests/chart

manifests: $(READY) $(DEPLOY)/.ready ## write deploy/kubernetes.yaml anew, after a change of the chart
	@$(BIN)/python -m tests.chart.manifests

test-browser: $(BROWSER)/.ready ## the pages in a real Chromium, which is skipped where there is none (slow)
	@$(BROWSER)/bin/pytest -n 2 tests/browser

soak: $(READY) ## a week of noise on the virtual clock, a rollout of 1,000 instances, and 400 random worlds (slow)
	@SOAK_CYCLES=10000 PROPERTY_EXAMPLES=400 $(BIN)/pytest -n auto tests/stories/test_soak.py tests/stories/test_properties.py

stories: $(READY) ## the stories once more, with scale sets that do not say Updating, and a fault at every call (slow)
	@STORIES_DURING_UPGRADE=Succeeded EXPLORE_SEEDS=4 FORECAST_SETS=60 INCIDENT_SETS=60 $(BIN)/pytest -n auto tests/stories \
	    tests/git/test_crash.py tests/git/test_story.py

transcripts: $(READY) ## write tests/transcripts/*.txt anew, after an intended change of behaviour
	@$(BIN)/python -m tests.transcripts

messages: $(READY) ## write tests/messages.txt anew, after an intended change of words
	@$(BIN)/pytest -n auto -q --write-messages

reasons: $(READY) ## write the table of docs/reasons.md anew, after a change of rollout/reason.py
	@$(BIN)/python -m tests.reasons

man: $(READY) ## write the manual pages of man/ anew, after a change of the help of a command
	@$(BIN)/python -m tests.man

explore: $(READY) ## every fault at every call of every kind of rollout, many at random, and random worlds (very slow)
	@EXPLORE_SEEDS=$${EXPLORE_SEEDS:-300} WORLDS_SEEDS=$${WORLDS_SEEDS:-500} \
	    $(BIN)/pytest -n auto tests/stories/test_faults.py tests/stories/test_worlds.py

exhaust: $(READY) ## every order of events in small worlds: rules that hold, and an end that is reached (slow)
	@$(BIN)/python -m tests.exhaust

mutants: $(READY) ## small changes of the decision, and which of them no test sees (slow)
	@$(BIN)/python -m tests.mutants

fuzz: $(FUZZER)/.ready ## what strangers can send, in forms that reach new code: FUZZ_SECONDS for each target (slow)
	@$(FUZZER)/bin/python -m tests.fuzz --seconds $${FUZZ_SECONDS:-600}

lint: $(READY) ## ruff, mypy --strict, the schemas, the example specs and fleet, and how pages and names read
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/check-jsonschema --check-metaschema schemas/*.json
	@$(BIN)/reconciler validate specs
	@$(BIN)/reconciler simulate --check demo/fleet.yaml
	@$(BIN)/python -m tests.prose

format: $(READY) ## rewrite the sources in the house style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(READY) ## figures: sweeps and rollouts beside a sequential SDK script, 10,000 specs, and from a merge to Azure (minutes)
	@$(BIN)/python -m benchmarks

bench-scale: $(READY) ## figures of fleets of up to 10,000 scale sets, and whether memory stays flat for a week (an hour)
	@$(BIN)/python -m benchmarks scale
	@$(BIN)/python -m benchmarks.flat 50 20 10000

lock: $(READY) ## resolve the locks anew, hashes and all: what runs, and what builds and tests it
	@$(BIN)/pip install -q uv
	@$(BIN)/uv pip compile $(LOCK) --upgrade --extra kubernetes --extra otel --output-file requirements.lock pyproject.toml
	@$(BIN)/uv pip compile $(LOCK) --upgrade --extra kubernetes --extra otel --output-file requirements-dev.lock --group dev \
	    --constraint requirements.lock pyproject.toml
	@$(BIN)/uv pip compile $(LOCK) --upgrade --output-file requirements-clients.lock tests/clients/requirements.in
	@$(BIN)/uv pip compile $(LOCK) --upgrade --output-file requirements-browser.lock --group dev \
	    --constraint requirements-dev.lock tests/browser/requirements.in pyproject.toml
	@$(BIN)/uv pip compile $(LOCK) --upgrade --output-file requirements-fuzz.lock \
	    --constraint requirements.lock tests/fuzz/requirements.in pyproject.toml
	@$(BIN)/uv pip compile $(LOCK) --upgrade --output-file requirements-deploy.lock $(NO_CDK) tests/chart/requirements.in

VERSION = $$(sed -n 's/^__version__ = "\(.*\)"/\1/p' reconciler/__init__.py)
image: ## the container image, by docker, podman or buildah, whichever runs here
	@for builder in docker podman buildah; do \
	    if $$builder info >/dev/null 2>&1; then \
	        exec $$builder build -f deploy/Containerfile -t vmss-reconciler:$(VERSION) --build-arg VERSION=$(VERSION) \
	            --build-arg REVISION=$$(git rev-parse HEAD) --build-arg CREATED=$$(date -u +%Y-%m-%dT%H:%M:%SZ) $(IMAGE_OPTIONS) .; \
	    fi; \
	done; \
	echo 'error: none of docker, podman and buildah runs here; install one, or start its daemon' >&2; exit 1

sbom: $(DEPLOY)/.ready $(RUNS)/.ready ## dist/sbom.cdx.json and dist/licences.md: what is in the image, beside Debian's packages
	@mkdir -p dist
	@$(DEPLOY)/bin/cyclonedx-py environment --pyproject pyproject.toml --mc-type application --output-reproducible \
	    --output-file dist/sbom.cdx.json $(RUNS)
	@$(DEPLOY)/bin/pip-licenses --python $(RUNS)/bin/python --from mixed --with-urls --format markdown --ignore-packages pip setuptools \
	    --output-file dist/licences.md

clean: ## remove what make made
	rm -rf $(VENV) $(CLIENTS) $(BROWSER) $(FUZZER) $(DEPLOY) $(RUNS) .fuzz .kube .demo .mutants .mypy_cache .pytest_cache .ruff_cache .hypothesis dist

# The environment: made once, and again when the lock or the metadata changes.
$(READY): requirements-dev.lock pyproject.toml .ci/environment
	@.ci/environment $(PYTHON) $(VENV) requirements-dev.lock .
	@touch $@

$(CLIENTS)/.ready: requirements-clients.lock .ci/environment
	@.ci/environment $(PYTHON) $(CLIENTS) requirements-clients.lock
	@touch $@

$(BROWSER)/.ready: requirements-browser.lock .ci/environment
	@.ci/environment $(PYTHON) $(BROWSER) requirements-browser.lock .
	@touch $@

$(FUZZER)/.ready: requirements-fuzz.lock .ci/environment
	@.ci/environment $(PYTHON) $(FUZZER) requirements-fuzz.lock
	@touch $@

$(DEPLOY)/.ready: requirements-deploy.lock .ci/environment
	@.ci/environment $(PYTHON) $(DEPLOY) requirements-deploy.lock
	@touch $@

# What runs in the image, and nothing else.
$(RUNS)/.ready: requirements.lock .ci/environment
	@.ci/environment $(PYTHON) $(RUNS) requirements.lock
	@touch $@
