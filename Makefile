# `make` alone prints the targets. What they need beforehand: git, make and Python 3.13.
.DEFAULT_GOAL := help
SHELL := /bin/bash
VENV := .venv
UV := $(VENV)/bin/uv
UV_VERSION := 0.13.9
PORT ?= 8080
JOBS ?= 2
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.13 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links
SYNC := $(UV) pip sync --quiet --require-hashes
# No interpreter is ever downloaded, and nothing is taken from an environment that happens to be active.
export UV_PYTHON_DOWNLOADS := never
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME

# dev.txt holds all of run.txt: once it is installed, `make run` keeps to it instead of taking tools away.
ENVIRONMENT := $(if $(wildcard $(VENV)/.osiris-dev),dev,run)

.PHONY: help
help: ## print the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

.PHONY: run
run: $(VENV)/.osiris-$(ENVIRONMENT) .venv-ministack/.osiris ## start everything on this machine (PORT=8080, LOG=1)
	@exec $(VENV)/bin/python -m local.run --port $(PORT) $(if $(LOG),--log)

.PHONY: token
token: $(VENV)/.osiris-$(ENVIRONMENT) ## print a fresh bearer token of the local demo account
	@$(VENV)/bin/python -m local.token

.PHONY: test
test: $(VENV)/.osiris-dev .venv-ministack/.osiris .venv-sam/.osiris ## run every test (TESTS= and JOBS= choose)
	@echo "· running the tests"
	@$(VENV)/bin/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(TESTS)

.PHONY: check
check: $(VENV)/.osiris-dev ## format, lint, types, import floors, template
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/cfn-lint template.yaml

.PHONY: bench
bench: $(VENV)/.osiris-dev ## measure speed and size, printed as tables
	@$(VENV)/bin/python -m bench

.PHONY: deploy
deploy: .venv-sam/.osiris ## build and deploy to AWS with your credentials
	PATH="$(CURDIR)/.venv-sam/bin:$$PATH" sam build
	@echo "· compiling the layer, so that no cold start has to"
	@.venv-sam/bin/python -m compileall -q --invalidation-mode unchecked-hash \
		-s .aws-sam/build/CommonLayer -p /opt .aws-sam/build/CommonLayer
	.venv-sam/bin/sam deploy

.PHONY: words
words: $(VENV)/.osiris-dev ## collect the pages' texts into the translations
	@mkdir -p .local
	$(VENV)/bin/pybabel -q extract -F pyproject.toml -k N_ -k text -o .local/messages.pot \
		--add-location=never --sort-by-file --project=osiris --version=1 .
	$(VENV)/bin/pybabel -q update -i .local/messages.pot -d layers/common/osiris/web/locale \
		--no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date --width=100

.PHONY: lock
lock: $(UV) ## write requirements/*.txt and the layer's requirements.txt anew
	$(COMPILE) layers/common/pyproject.toml -o layers/common/requirements.txt
	$(COMPILE) layers/common/pyproject.toml --extra cli requirements/run.in -o requirements/run.txt
	$(COMPILE) layers/common/pyproject.toml --extra cli requirements/run.in requirements/dev.in -o requirements/dev.txt
	$(COMPILE) requirements/ministack.in -o requirements/ministack.txt
	$(COMPILE) requirements/sam.in -o requirements/sam.txt

# The environments. A stamp in each is as old as its last installation.
$(UV):
	@bash local/make_venv.sh $(VENV)
	@echo "· installing uv $(UV_VERSION) into $(VENV)" >&2
	@$(VENV)/bin/python -m pip install -qq --disable-pip-version-check uv==$(UV_VERSION)

$(VENV)/.osiris-%: requirements/%.txt layers/common/pyproject.toml | $(UV)
	@echo "· installing requirements/$*.txt into $(VENV)" >&2
	@$(SYNC) --python $(VENV)/bin/python requirements/$*.txt
	@$(UV) pip install --quiet --python $(VENV)/bin/python --no-deps -e layers/common
	@touch $@

.venv-%/.osiris: requirements/%.txt | $(UV)
	@bash local/make_venv.sh .venv-$*
	@echo "· installing requirements/$*.txt into .venv-$*" >&2
	@$(SYNC) --python .venv-$*/bin/python requirements/$*.txt
	@touch $@
