# Every command of the project; `make` alone lists them.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
VLLM_VENV := .venv-vllm
MONGODB_VENV := .venv-mongodb
BIN := $(VENV)/bin

# The news at the root, or a pipeline of its own: make repro PIPELINE=safety
PIPELINE ?=
FOLDER := $(if $(PIPELINE),pipelines/$(PIPELINE),.)
FIGURES := $(addprefix $(if $(PIPELINE),$(FOLDER)/),metrics plots dvc.lock)

# vLLM is built for the CPU or for CUDA: chosen by whether the machine has an NVIDIA GPU.
# Override: make VLLM=cuda repro
VLLM ?= $(if $(shell command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi -L 2>/dev/null | head -1),cuda,cpu)

# As if the environment were active; nothing that DVC starts calls home.
# $$PWD, not $(CURDIR): the shell must not read a $ in the path.
RUN := env PATH="$$PWD/$(BIN):$$PATH" VIRTUAL_ENV="$$PWD/$(VENV)" DVC_NO_ANALYTICS=true

# Compiled tests are kept even where the environment says otherwise, as in many containers: without
# them every process of every run rewrites the assertions of all tests anew, four seconds of CPU.
PYTEST := env -u PYTHONDONTWRITEBYTECODE OMP_NUM_THREADS=1 python -m pytest

# The same in the folder of the pipeline.
RUN_IN := $(RUN) bash -c 'cd "$$0" && exec "$$@"' "$(FOLDER)"

.PHONY: help env doctor repro serve submission compare-methods bench real test check lock-check pull-request ci-pull \
  ci-push ci-results fuzz audit publish push pull verify faults format params lock clean always

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

env: ## create .venv and .venv-vllm where they are missing or old, at the same time
	@$(MAKE) --no-print-directory --jobs $(VENV)/.ready $(VLLM_VENV)/.ready $(if $(filter safety,$(PIPELINE)),$(MONGODB_VENV)/.ready)

doctor: env ## compare what the chosen configuration needs with this machine
	@$(RUN_IN) newsrec doctor

repro: doctor ## run the whole pipeline; only what changed runs again; another one: PIPELINE=safety
	@$(RUN_IN) dvc repro
	@cat $(FOLDER)/reports/summary.md
	@echo && echo "Report: $(if $(PIPELINE),$(FOLDER)/)reports/report.html"
	@git diff --quiet -- $(FIGURES) || echo "Git shows changed files: timings differ from run to run," \
	  "figures slightly by type of CPU. Back to the committed ones: git checkout $(FIGURES)"

publish: env ## prepare the tuned model for others; TO=owner/name uploads it to the Hugging Face hub
	@$(RUN) newsrec publish $(if $(TO),--to "$(TO)")

serve: env ## serve the tuned model by vLLM's OpenAI-compatible server on loopback: make serve PIPELINE=assistant
	@$(RUN_IN) newsrec serve $(if $(PORT),--port "$(PORT)")

submission: env ## rank the unlabelled split for the leaderboard: submission/prediction.zip
	@$(RUN) dvc repro merge
	@$(RUN) dvc --cd submission repro

push: $(VENV)/.ready ## push adapter, merged model and timings to the DVC remote, never data
	@$(RUN) newsrec push

pull: $(VENV)/.ready ## pull adapter, merged model and timings from the DVC remote
	@$(RUN) newsrec pull

verify: $(VENV)/.ready ## check every cached object, and pull the last commit into an empty clone
	@$(RUN) newsrec verify

compare-methods: env ## run every way to fine-tune on the tiny model: docs/methods.md, half an hour
	@$(RUN) python -m benchmarks.methods

bench: env $(MONGODB_VENV)/.ready ## the speed of each part beside a rival, hours on a quiet machine: docs/benchmarks.md
	@failed=; for name in $(BENCH); do \
	  { case $$name in \
	      threads) $(RUN) dvc repro fetch_model preprocess;; \
	      graph) $(RUN) dvc repro;; \
	      safety|classify) $(RUN) dvc --cd pipelines/safety repro merge audit;; \
	    esac && $(RUN) python -m benchmarks.$$name; } || failed+=" $$name"; \
	done; \
	[ -z "$$failed" ] || { echo "failed:$$failed" >&2; exit 1; }
# What they need besides: ids and submission the tokenizer that npm fetches once; safety_extract
# .venv-mongodb; threads, graph, safety and classify the stages above, which run only where something
# changed. Not all by default: safety and classify take an hour more, gpu needs a GPU.
BENCH ?= preprocess safety_extract ids scoring submission evaluate merge threads ranker graph end_to_end

real: env ## a real model of 135M parameters on your MIND files, an hour: make real MIND=/data/mind
	@$(RUN) python -m benchmarks.real --mind "$(MIND)"

test: env $(MONGODB_VENV)/.ready ## every test but those of `make faults`, the whole pipeline on the tiny default among them, in up to four processes
	@$(RUN) $(PYTEST) -m "not faults" -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

faults: env ## kill, fill and damage small runs in every stage, all that make test leaves out: half an hour
	@$(RUN) $(PYTEST) -m faults -n logical --maxprocesses 4 --dist worksteal

fuzz: $(VENV)/.ready ## 100,000 mutated MIND files and 20,000 of predictions, 10 to 30 minutes
	@$(RUN) python -m tests.fuzz

audit: $(VENV)/.ready ## known vulnerabilities of what is pinned, where PyPI's service can be reached
	@$(PYTHON) -m venv .work/audit && .work/audit/bin/pip install -qq pip-audit==2.10.1
	@$(RUN) python -m tests.audit .work/audit/bin/pip-audit \
	  requirements.txt requirements-vllm-cpu.txt requirements-vllm-cuda.txt requirements-mongodb.txt

check: $(VENV)/.ready ## format, lint, types and the fast tests: under a minute
	@$(RUN) ruff format --check
	@$(RUN) ruff check
	@$(RUN) mypy
	@$(RUN) $(PYTEST) -q -m "not slow and not real" -n logical --dist worksteal

lock-check: $(VENV)/.ready ## compare dvc.lock with code, values and figures; needs no data
	@$(RUN) python -m newsrec.lock_check

pull-request: $(VENV)/.ready ## what a branch changed, as a comment: make pull-request BASE=origin/main
	@$(RUN) python -m newsrec.news.report.comment "$$BASE"
export BASE ?= origin/main

# What .github/workflows call beside the commands above.
ci-pull: $(VENV)/.ready
ci-push: $(VENV)/.ready
ci-pull ci-push:
	@if [ -n "$$($(RUN) dvc remote list)" ]; then $(MAKE) --no-print-directory $(@:ci-%=%); \
	  else echo "$@: no DVC remote is configured, so there is nothing to $(@:ci-%=%)"; fi

ci-results:
	@mkdir -p .work
	@git add --all -- dvc.lock metrics plots && git diff --cached --binary > .work/results.patch

format: $(VENV)/.ready ## format the code and fix what lint can
	@$(RUN) ruff format
	@$(RUN) ruff check --fix

params: $(VENV)/.ready ## write params.yaml from conf/
	@$(RUN_IN) newsrec params

lock: ## pin requirements*.txt from requirements*.in
	@$(PYTHON) -m venv .work/lock && .work/lock/bin/pip install -qq uv
	@for name in requirements requirements-vllm-cpu requirements-mongodb; do \
	  .work/lock/bin/uv pip compile -q $$name.in --overrides requirements-overrides.txt $(LOCK) -o $$name.txt; \
	  sed -i "/sys_platform == 'never'/d" $$name.txt; \
	done
	@.work/lock/bin/uv pip compile -q requirements-vllm-cuda.in $(LOCK) -o requirements-vllm-cuda.txt
LOCK := --upgrade --universal --python-version 3.11 --no-annotate --custom-compile-command "make lock"

clean: ## remove the environments and everything that a run makes, but not DVC's cache
	rm -rf $(VENV) $(VLLM_VENV) $(MONGODB_VENV) submission/prediction.zip \
	  {.,pipelines/*}/{.work,metrics/timings,reports} \
	  {.,pipelines/*}/data/{raw,processed,predictions,judged.parquet,audit.parquet,keywords.json,classification_report.txt} \
	  {.,pipelines/*}/models/{base,adapter,merged,rl,checked}

# Two steps. The first takes torch with what it names: the CUDA build its own libraries, each pinned
# by torch itself; the CPU build none. The second takes exactly what is pinned and nothing else, so
# that nothing pulls in the CUDA builds of torchvision and torchaudio (requirements-overrides.txt).
# .ready is a copy of the pins, compared each time: what differs is installed, whatever the dates say.
define install
	if cmp -s $(2) $(1)/.ready; then exit; fi; \
	case "$$PWD" in *[:$$'\n']*) echo "$$PWD: no environment works in a path with a colon or a line end; move the project" >&2; exit 2;; esac; \
	echo "Creating $(1) from $(2): minutes, once"; \
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "newsrec needs Python 3.11 or newer: make PYTHON=python3.12")'; \
	rm -rf $(1); \
	$(PYTHON) -m venv $(1); \
	for torch in $$(grep '^torch==' $(2)); do $(1)/bin/pip install -qq -c $(2) "$$torch"; done; \
	$(1)/bin/pip install -qq --no-deps -r $(2); \
	$(3) \
	cp $(2) $(1)/.ready
endef

# The command `newsrec`, from this checkout. LLaMA-Factory imports torchaudio at start and never uses
# it for text; an empty module serves.
INSTALL_NEWSREC = $(BIN)/pip install -qq --no-deps --no-build-isolation -e .; \
	site=$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))'); \
	[ -e "$$site/torchaudio" ] || echo '"""Empty: see the Makefile."""' > "$$site/torchaudio.py";

$(VENV)/.ready: requirements.txt always
	@$(call install,$(VENV),$<,$(INSTALL_NEWSREC))

$(VLLM_VENV)/.ready: requirements-vllm-$(VLLM).txt always
	@$(call install,$(VLLM_VENV),$<)

# A database server for the made-up texts: its licence is the GPL, so it is a program of its own.
$(MONGODB_VENV)/.ready: requirements-mongodb.txt always
	@$(call install,$(MONGODB_VENV),$<)

always:
