# Continuo: what a person does with the tree. Each target installs what a fresh Debian machine lacks.
SHELL := /bin/bash
.DEFAULT_GOAL := help
SWIFT_FILES = git ls-files -z '*.swift'

.PHONY: help setup run tour check test lint format bench soak simulate fuzz coverage build release clean

help: ## Show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup:
	@scripts/setup

build: setup
	swift build --product continuo

run: build ## Start a server with demo accounts, and print what to try
	@.build/debug/continuo demo

tour: setup ## Play the whole use case between two providers with real devices, a line a step
	@scripts/setup tour
	swift build --product continuo
	@.build/debug/continuo tour

check: lint ## Run the tests of the pure parts: an answer in a minute or two
	@scripts/test --filter "MessagingCoreTests|SessionCoreTests|TidyTests|^(SIP|SDP|CPIM|MSRP|XMLBodies|ByteGrammar|ProtocolDecoding)Tests" \
		--skip SimulationTests

test: ## Run all tests
	@scripts/setup test
	@scripts/test

lint: ## Check the format and what the compiler cannot see
	@scripts/setup lint
	@$(SWIFT_FILES) | xargs -0 swift format lint --strict --parallel
	@scripts/lint-web

format: ## Put the sources into the house's format
	@$(SWIFT_FILES) | xargs -0 swift format --in-place --parallel

release: setup
	swift build -c release --product continuo --static-swift-stdlib

bench: release ## Measure, and print a table (optimised build; some minutes)
	@.build/release/continuo bench protocols
	@.build/release/continuo bench messages
	@.build/release/continuo bench sessions
	@.build/release/continuo bench interconnect

soak: setup ## Kill the server hundreds of times under load, and check
	@scripts/soak

simulate: setup ## Play SIMULATION_SEEDS (20000) stories of sessions; SIMULATION_SEED=N plays one again
	@scripts/simulate

fuzz: setup ## Fuzz every parser for FUZZ_SECONDS (600) each
	@Fuzz/run.sh $${FUZZ_SECONDS:-600}

coverage: setup ## Show how much of the sources the tests reach
	@scripts/coverage

clean:
	rm -rf .build .demo
