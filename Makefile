# Every target sets up what it needs; nothing but make, git and Python 3.11 to 3.13 has to be there.
VENV ?= .venv
RUN := $(VENV)/bin/python -m

.PHONY: help demo test check lock clean
help:
	@echo 'make demo    set up, then lip-sync a small job from inbox to outbox'
	@echo 'make test    set up, then run the tests'
	@echo 'make check   set up, then lint, types and the rules of the house'
	@echo 'make lock    write the versions of this environment to .ci/lock.txt'
	@echo 'make clean   remove the environment and what the demo wrote'

demo: $(VENV)/.ready
	$(RUN) heygemd demo --out demo-out

test: $(VENV)/.ready
	$(RUN) pytest

check: $(VENV)/.ready
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	$(RUN) pytest -q tests/test_architecture.py

lock: $(VENV)/.ready
	.ci/lock $(VENV)

clean:
	rm -rf $(VENV) demo-out

$(VENV)/.ready: pyproject.toml .ci/setup .ci/lock.txt
	.ci/setup $(VENV)
	touch $@
