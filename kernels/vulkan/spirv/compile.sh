#!/bin/sh
# compile.sh: compiles the shaders. Wants Rust; the first run builds glslang, which takes minutes.
set -eu
cd "$(dirname "$0")"
cargo run --release -- ../shaders
