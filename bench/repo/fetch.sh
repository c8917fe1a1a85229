#!/bin/bash
# fetch.sh DIR FILE: gets every package that the items of FILE name, at the
# version that they name, and unpacks it into DIR/NAME-VERSION: what
# `tandem eval repo FILE --packages DIR` takes for workspaces. It asks pip, which
# asks whatever index it is configured for. Nothing is installed; a package that
# has no wheel comes as its source archive, for which pip runs its build script.
# Packages that are there already are left alone.
set -euo pipefail
dir=${1:?usage: bench/repo/fetch.sh DIR FILE.jsonl}
file=${2:?usage: bench/repo/fetch.sh DIR FILE.jsonl}
mkdir -p "$dir"

# packages prints a line «NAME VERSION» for each package of the items.
packages() {
	python3 - "$file" <<'PY'
import gzip, json, re, sys
data = open(sys.argv[1], "rb").read()
if data[:2] == b"\x1f\x8b":
    data = gzip.decompress(data)
found = set()
for n, line in enumerate(data.splitlines(), 1):
    if not line.strip():
        continue
    try:
        item = json.loads(line)
        found.add(tuple(re.fullmatch(r"\w[\w.+!-]*", item[key]).group() for key in ("package", "version")))
    except (ValueError, KeyError, TypeError, AttributeError) as err:
        sys.exit(f"fetch.sh: {sys.argv[1]}: line {n} is no item with a package and a version: {err!r}")
for name, version in sorted(found):
    print(name, version)
PY
}

# download NAME VERSION FOLDER: a wheel if there is one.
download() {
	local pip=(python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest "$3" "$1==$2")
	"${pip[@]}" --only-binary :all: 2>/dev/null || "${pip[@]}"
}

# unpack ARCHIVE FOLDER: a source archive without its outermost folder, so that
# paths begin with the package's own.
unpack() {
	case $1 in
	*.whl) python3 -m zipfile -e "$1" "$2" ;;
	*.zip) python3 -m zipfile -e "$1" "$2" && mv "$2"/*/* "$2" ;;
	*) mkdir -p "$2" && tar -xf "$1" -C "$2" --strip-components=1 ;;
	esac
}

part=$(mktemp -d "$dir/part-XXXXXX")
trap 'rm -rf "$part"' EXIT
list=$(packages)
while read -r name version; do
	to=$dir/$name-$version
	if [ -d "$to" ]; then
		echo "$name $version: in $to already"
		continue
	fi
	echo "$name $version: asking pip"
	rm -rf "${part:?}"/*
	if ! download "$name" "$version" "$part/archive"; then
		echo "fetch.sh: pip has no $name $version: see what it says above; without this package its items cannot be evaluated" >&2
		exit 1
	fi
	archive=$(find "$part/archive" -type f)
	unpack "$archive" "$part/unpacked"
	mv "$part/unpacked" "$to"
	echo "$name $version: $(basename "$archive") unpacked, $(find "$to" -type f | wc -l) files"
done <<<"$list"
