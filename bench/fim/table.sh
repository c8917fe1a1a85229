#!/bin/bash
# table.sh DIR: measures infilling with both Qwen files, every layout, with and
# without healing, and with a llama-server as the peer, and prints the table of
# docs/bench.md. Reports go to DIR, one a cell; cells that are there already are
# not measured again, so it can be stopped and started at will.
#
#   PEER     llama-server's path; without it the peer's rows are left out
#   MODELS   names, default "qwen2.5-coder-0.5b qwen2.5-coder-1.5b"
#   LAYOUTS  default "psm spm-tail"; psm-line is worth a look, too
#   EVERY    name=K ...: a model's cells take the items of every K-th program,
#            default "qwen2.5-coder-0.5b=2 qwen2.5-coder-1.5b=4": two cores need
#            half an hour and 45 minutes for that
set -euo pipefail
cd "$(dirname "$0")/../.."
dir=${1:?usage: bench/fim/table.sh DIR}
items=testdata/fim/fim_midword.jsonl.gz
weights=${XDG_CACHE_HOME:-$HOME/.cache}/tandem/models
port=18091
mkdir -p "$dir"
[ -x bin/tandem ] || make build

# measure CELL ARGUMENTS...: one report, under its name only when it is whole.
measure() {
	local out=$dir/$1.json
	shift
	[ -e "$out" ] && return
	echo "$(date +%T) $out" >&2
	bin/tandem eval fim "$items" --json "$@" >"$out.part"
	mv "$out.part" "$out"
}

server=
trap '[ -z "$server" ] || kill "$server"' EXIT

peer() { # peer MODEL EVERY
	[ -e "$dir/$1.peer-psm.json" ] && return
	"$PEER" -m "$weights/$1.gguf" -c 8192 -t 2 -np 1 --host 127.0.0.1 --port $port >"$dir/$1.peer.log" 2>&1 &
	server=$!
	until curl -sf "http://127.0.0.1:$port/health" >/dev/null; do
		kill -0 $server
		sleep 0.5
	done
	measure "$1.peer-psm" --peer "http://127.0.0.1:$port" --every "$2"
	kill $server
	wait $server || true
	server=
}

for model in ${MODELS:-qwen2.5-coder-0.5b qwen2.5-coder-1.5b}; do
	every=1
	for pair in ${EVERY-qwen2.5-coder-0.5b=2 qwen2.5-coder-1.5b=4}; do
		[ "${pair%=*}" = "$model" ] && every=${pair#*=}
	done
	[ -n "${PEER:-}" ] && peer "$model" "$every"
	for layout in ${LAYOUTS:-psm spm-tail}; do
		for heal in true false; do
			name=$([ $heal = true ] && echo heal || echo plain)
			measure "$model.$layout.$name" --model "$model" --layout "$layout" --heal="$heal" --every "$every"
		done
	done
	go run ./bench/fim/table "$dir/$model".*.json
done
