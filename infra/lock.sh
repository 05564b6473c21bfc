#!/bin/sh
# Writes requirements.lock: every package of every part, pinned, with hashes, for all platforms; no hosts.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/.oker/tools/bin:$PATH"
set --
for package in contracts libs/* services/*; do
  [ -f "$package/pyproject.toml" ] || continue
  set -- "$@" "$package/pyproject.toml" --no-emit-package "$(sed -n 's/^name = "\(.*\)"/\1/p' "$package/pyproject.toml" | head -1)"
done
uv pip compile --quiet --upgrade --universal --generate-hashes --no-header --python-version 3.11 \
  pyproject.toml --group dev "$@" --output-file requirements.lock
