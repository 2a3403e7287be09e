# `make` alone prints the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3.13
VENV := .venv
UV := $(VENV)/bin/uv
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.13 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links

.PHONY: help
help: ## print the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

.PHONY: lock
lock: $(UV) ## write requirements/*.txt and the layer's requirements.txt anew
	$(COMPILE) layers/common/pyproject.toml -o layers/common/requirements.txt
	$(COMPILE) layers/common/pyproject.toml --extra cli requirements/run.in -o requirements/run.txt
	$(COMPILE) layers/common/pyproject.toml --extra cli requirements/run.in requirements/dev.in -o requirements/dev.txt
	$(COMPILE) requirements/ministack.in -o requirements/ministack.txt
	$(COMPILE) requirements/sam.in -o requirements/sam.txt
