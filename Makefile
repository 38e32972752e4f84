# Every target is a line or two that also works by hand.
GO      ?= go
VERSION ?= $(shell git describe --tags --always 2>/dev/null || echo dev)
LDFLAGS  = -s -w -X fettle/cmd/internal/cli.Version=$(VERSION)
EMBED    = engine/runner/embed
# Runners that are built into fettle, and all that "make runners" puts beside it.
BUILTIN  = linux-amd64 linux-arm64
RUNNERS ?= $(BUILTIN) linux-386 linux-arm linux-riscv64 linux-ppc64le linux-s390x
# Small is more than fast here: a runner waits for the machine, not for itself.
RUNFLAGS = -trimpath -buildvcs=false -gcflags=all=-l -ldflags '-s -w -buildid='
# fettle itself: HTTP/1.1 is what modules and lookups speak; what no run waits for is not inlined.
COLD     = net regexp/... encoding/base64 encoding/hex text/... fettle/playbooks/check fettle/playbooks/examples fettle/engine/diag fettle/engine/runner fettle/engine/netrc fettle/engine/vault fettle/modules/... fettle/cmd/... fettle/inventory/... fettle/engine/transport/... fettle/engine/action/... fettle/engine/report github.com/... net/http crypto/tls crypto/x509 net mime/... image/... golang.org/x/text/... golang.org/x/crypto/ssh/... vendor/... encoding/asn1 encoding/xml html/... compress/... archive/...
MAINFLAGS = -tags nethttpomithttp2 -trimpath $(COLD:%=-gcflags=%=-l) -ldflags '$(LDFLAGS)'
# xz filters for machine code.
BCJ_amd64 = --x86
BCJ_386   = --x86
BCJ_arm   = --arm

.PHONY: build runners test unit lint fuzz demo script integration bench release clean tools

build: $(BUILTIN:%=$(EMBED)/%)
	CGO_ENABLED=0 $(GO) build $(MAINFLAGS) -o bin/fettle ./cmd/fettle

# The runners for more platforms: fettle looks in the directory runners beside itself.
runners: $(RUNNERS:%=bin/runners/%)

# One platform: the program that every host gets, packed with gzip, which every host has, and
# the second one, which the first unpacks.
$(EMBED)/% bin/runners/%: FORCE
	@mkdir -p bin $(@D)
	@command -v xz >/dev/null || integration/install-tools xz-utils
	CGO_ENABLED=0 GOOS=$(word 1,$(subst -, ,$*)) GOARCH=$(word 2,$(subst -, ,$*)) $(GO) build -tags core $(RUNFLAGS) -o bin/fettle-runner-$* ./cmd/fettle-runner
	CGO_ENABLED=0 GOOS=$(word 1,$(subst -, ,$*)) GOARCH=$(word 2,$(subst -, ,$*)) $(GO) build -tags nethttpomithttp2 $(RUNFLAGS) -o bin/fettle-extra-$* ./cmd/fettle-extra
	@sum() { echo "$$(sha256sum bin/$$1 | cut -d' ' -f1) $$(stat -c %s bin/$$1)"; }; \
	pack() { [ -f $(@D)/$$1.$$2 ] && [ "$$(sum $$1)" = "$$(cat $(@D)/$$1.sum 2>/dev/null)" ] && return; \
	  f=$$1; sum $$f > $(@D)/$$f.sum; shift; x=$$1; shift; "$$@" < bin/$$f > $(@D)/$$f.$$x; }; \
	pack fettle-runner-$* gz gzip -9nc && pack fettle-extra-$* xz xz -c $(BCJ_$(word 2,$(subst -, ,$*))) --lzma2=preset=9e

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

release: $(BUILTIN:%=$(EMBED)/%)
	@for p in $(BUILTIN); do os=$${p%-*}; arch=$${p#*-}; \
	  CGO_ENABLED=0 GOOS=$$os GOARCH=$$arch $(GO) build $(MAINFLAGS) -o dist/fettle-$$p ./cmd/fettle || exit 1; done
	cd dist && sha256sum fettle-* > SHA256SUMS

clean:
	rm -rf bin dist
