# Every target is a line or two that also works by hand.
GO      ?= go
VERSION ?= $(shell git describe --tags --always 2>/dev/null || echo dev)
LDFLAGS  = -s -w -X fettle/cmd/internal/cli.Version=$(VERSION)
EMBED    = engine/runner/embed
RUNNERS  = linux-amd64 linux-arm64

.PHONY: build runners test unit lint fuzz demo script integration bench release clean tools

build: runners
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/fettle ./cmd/fettle

# The runner for each platform, compressed; they are embedded in fettle.
runners: $(RUNNERS:%=$(EMBED)/fettle-runner-%.gz)

$(EMBED)/fettle-runner-%.gz: FORCE
	@mkdir -p bin
	CGO_ENABLED=0 GOOS=$(word 1,$(subst -, ,$*)) GOARCH=$(word 2,$(subst -, ,$*)) $(GO) build -tags nethttpomithttp2 -trimpath -buildvcs=false -ldflags '-s -w -buildid=' -o bin/fettle-runner-$* ./cmd/fettle-runner
	@gzip -9nc bin/fettle-runner-$* > bin/runner.gz && { cmp -s bin/runner.gz $@ || cp bin/runner.gz $@; }; rm -f bin/runner.gz
	@echo "$$(sha256sum bin/fettle-runner-$* | cut -d' ' -f1) $$(stat -c %s bin/fettle-runner-$*)" > $(EMBED)/fettle-runner-$*.sum

FORCE:

demo: build
	./bin/fettle demo

# Everything that proves fettle: lint, race-enabled unit and script tests, and as root real hosts.
test: tools build lint unit integration

unit:
	$(GO) test -race ./...

lint:
	@test -z "$$(gofmt -l cmd engine modules inventory playbooks integration)" || { gofmt -l cmd engine modules inventory playbooks integration; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

script:
	$(GO) test ./cmd/fettle/...

# What the tests use beside Go; without root it says what will be skipped.
tools:
	@integration/install-tools

integration: build
	$(GO) test -count=1 -p 1 -timeout 30m -tags integration ./integration/...

bench: build
	$(GO) run ./integration/bench/cmd/bench -short -fettle bin/fettle

fuzz:
	@for p in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list 'Fuzz.*' $$p | grep ^Fuzz); do \
	    $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $${FUZZTIME:-20s} $$p || exit 1; done; done

release: $(RUNNERS:%=$(EMBED)/fettle-runner-%.gz)
	@for p in $(RUNNERS); do os=$${p%-*}; arch=$${p#*-}; \
	  CGO_ENABLED=0 GOOS=$$os GOARCH=$$arch $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o dist/fettle-$$p ./cmd/fettle || exit 1; done
	cd dist && sha256sum fettle-* > SHA256SUMS

clean:
	rm -rf bin dist
