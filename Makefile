# Hearth. `make` alone lists the targets.
SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
GO      := CGO_ENABLED=0 go
DATA    ?= $(CURDIR)/data

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## build, start the server with the examples deployed, print a curl line that works
	@scripts/setup_env.sh --run
	@$(MAKE) --no-print-directory build
	@exec bin/hearth up --data "$(DATA)"

build: ## build bin/hearth, with the dashboard where there is npm
	@scripts/web.sh build
	@mkdir -p bin
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/hearth ./cmd/hearth

test: ## install what the tests need and run all of them
	@scripts/setup_env.sh --test
	@scripts/test.sh

unit: ## only the tests that need neither root nor Linux features
	go test -short ./...

lint: ## gofmt, go vet, golangci-lint, shellcheck; biome and tsc where there is npm
	@scripts/lint.sh

fuzz: ## fuzz everything that parses hostile bytes, 30 s each (FUZZTIME=5m for longer)
	@scripts/fuzz.sh

bench: build ## the side-by-side benchmarks, as a table of ratios and as JSON under bench/results/
	@bench/run.sh

docs: ## regenerate docs/api_spec.md and the dashboard's types
	go run ./internal/api/gendoc > docs/api_spec.md
	go run ./internal/api/gendoc -openapi > web/src/api/openapi.json
	@scripts/web.sh schema

dist: ## static archives for amd64 and arm64 with checksums, in dist/
	@scripts/dist.sh "$(VERSION)"

clean: ## remove what was built (never the data)
	rm -rf bin dist bench/results web/dist/*

.PHONY: help run build test unit lint fuzz bench docs dist clean
