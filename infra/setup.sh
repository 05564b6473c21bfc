#!/bin/sh
# Installs everything into .venv: uv, the pinned set with its hashes, and Oker's own packages.
# Needs Python 3.11 or newer with venv. Called by `make setup`; runs again only when something it reads has changed.
set -eu
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}
say() { printf '%s\n' "$*" >&2; }

command -v "$PYTHON" >/dev/null || { say "setup: $PYTHON is missing; install Python 3.11 or newer, or set PYTHON=…"; exit 1; }
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  say "setup: $("$PYTHON" --version) is too old; install Python 3.11 or newer, or set PYTHON=…"; exit 1; }

stamp=.oker/setup.stamp
wanted=$(cat infra/setup.sh requirements.lock pyproject.toml contracts/pyproject.toml libs/*/pyproject.toml services/*/pyproject.toml | cksum; pwd)
if [ -x .venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then exit 0; fi

mkdir -p .oker
if ! command -v uv >/dev/null; then
  if [ ! -x .oker/tools/bin/uv ]; then
    say "setup: installing uv …"
    "$PYTHON" -m venv .oker/tools || { say "setup: $PYTHON has no venv; on Debian: apt install python3-venv"; exit 1; }
    .oker/tools/bin/pip install --quiet --disable-pip-version-check uv
  fi
  PATH="$PWD/.oker/tools/bin:$PATH"
fi
[ -x .venv/bin/python ] || uv venv --quiet --python "$("$PYTHON" -c 'import sys; print(sys.executable)')" .venv
say "setup: installing the pinned packages (the first time this takes a minute) …"
uv pip install --quiet --python .venv/bin/python --require-hashes --compile-bytecode -r requirements.lock
own=contracts
for package in libs/* services/*; do [ -f "$package/pyproject.toml" ] && own="$own $package"; done
set --
for package in $own; do set -- "$@" -e "./$package"; done
uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation "$@"
printf '%s\n' "$wanted" > "$stamp"
say "setup: done"
