#!/bin/sh
# arm64.sh [GO TEST FLAGS]: the kernel tests of the arm64 rungs, compiled by a cross
# compiler and run by qemu, on a machine of any kind. Says what the instructions
# compute, and nothing about how fast an arm64 processor is.
#
#   ARM64_CC   the cross compiler, else aarch64-linux-gnu-gcc
#
# Exits with 77 where compiler or qemu is missing: skipped, not passed.
set -eu
cd "$(dirname "$0")"
cc=${ARM64_CC:-aarch64-linux-gnu-gcc}

for tool in "$cc" qemu-aarch64; do
	command -v "$tool" >/dev/null 2>&1 || {
		echo "no $tool: install gcc-aarch64-linux-gnu, libc6-dev-arm64-cross and qemu-user, as Debian calls them" >&2
		exit 77
	}
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Static, so that qemu needs no system of the other kind around it.
CC=$cc GOOS=linux GOARCH=arm64 CGO_ENABLED=1 go test -c -ldflags '-linkmode external -extldflags -static' -o "$work/cpu.test" .
qemu-aarch64 "$work/cpu.test" "$@"
