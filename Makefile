# make test: everything, on a fresh machine; make demo: the main job, shown. Both do all the set-up themselves.
.PHONY: setup unit lint test corpus lab demo bench bench-scale bench-start chaos docs wheel sbom image clean screens
PYTHON ?= python3
LANES ?= 3
BIN := .venv/bin
unexport PYTHONDONTWRITEBYTECODE
export PIP_DISABLE_PIP_VERSION_CHECK := 1

setup: .venv/.ready

.venv/.ready: requirements/dev.txt pyproject.toml scripts/setup
	scripts/setup
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q --require-hashes -r requirements/dev.txt
	$(BIN)/pip install -q --no-deps --no-build-isolation -e .
	touch .venv/.ready

unit: setup
	$(BIN)/python scripts/pure_coverage.py

lint: setup
	$(BIN)/ruff check .
	$(BIN)/mypy
	for file in tests/conftest.py tests/*/conftest.py; do $(BIN)/mypy $$file || exit 1; done
	$(BIN)/lint-imports --no-cache
	$(BIN)/python scripts/shell_lint.py
	$(BIN)/python scripts/docs.py --check

# The tests wait more than they work: as many files at once as LANES says, each lane with a lab of its own
test: lint unit
	$(BIN)/python -m pytest -n $(LANES) --dist loadfile --durations 25 --durations-min 10 --ignore tests/unit --ignore tests/test_architecture.py $(addprefix --ignore ,$(APART))

# What make test tries in part or not at all: all hostile repositories under strace; in the lab, versions of Compose on three
# engines, all projects beside plain Compose, every case of each test, and what Docker itself does
BROAD := tests/contract/test_hostile_repositories.py $(addprefix tests/lab/test_,$(addsuffix .py,adopt compose_versions \
	contradictions going_back interrupted jenkins least_privilege newer_engine plan_is_truth projects rollout secrets ssh_ways))
APART := tests/lab/test_facts.py

corpus: setup
	CORPUS=all $(BIN)/python -m pytest -n $(LANES) --dist loadfile $(BROAD) $(APART)

lab: setup
	lab/lab up 3

demo: setup
	scripts/demo

# lading beside raw ssh and Ansible, in the lab, as root; about 20 minutes. Less: make bench BENCH='--hosts 1,3 --repeat 1'
bench: setup .venv-bench/.ready
	PYTHONPATH=lab $(BIN)/python bench/lab_bench.py $(BENCH)

# every fault in every phase, at both keepalives, then 20 kills in a row, in the lab, as root; about 90 minutes; writes
# docs/reliability.md. A part: make chaos CHAOS='--fault cut --phase roll'; the kills alone: CHAOS='--kills 20'
chaos: setup
	PYTHONPATH=tests/lab:lab:chaos $(BIN)/python chaos/matrix.py $(CHAOS)

# The controller alone, against up to 1,000 simulated hosts, as root. Less: make bench-scale BENCH='--hosts 50,200 --repeat 1'
bench-scale: setup .venv-bench/.ready
	PYTHONPATH=lab $(BIN)/python bench/scale_bench.py $(BENCH)

# What short commands cost, from start to exit. Beside another lading: make bench-start BENCH='--beside /old/bin/lading'
bench-start: setup
	$(BIN)/python bench/start_bench.py $(BENCH)

.venv-bench/.ready: requirements/bench.txt
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/pip install -q --require-hashes -r requirements/bench.txt
	touch .venv-bench/.ready

# The twelve screens: their texts, which tests compare, and pictures to look at (PNG too where there is resvg or rsvg-convert).
screens: setup
	$(BIN)/python tests/screens.py dist/screens

docs: setup
	$(BIN)/python scripts/docs.py

wheel: setup
	scripts/wheel dist

# What the wheel is made of and needs, as CycloneDX JSON in dist/
sbom: setup
	wheel=$$(scripts/wheel dist) && scripts/sbom "$$wheel" "$${wheel%.whl}.cdx.json"

image: setup
	scripts/image dist/image
	docker build -t lading dist/image

clean:
	rm -rf .venv .venv-bench .mypy_cache .ruff_cache .pytest_cache dist
