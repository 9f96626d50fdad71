#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Installs the other implementations of Parquet (npm, from the lock file) and compares: run.sh PARQUET_JUDGE [full].
# PARQUET_JUDGE is build/tests/unit/parquet-judge; "full" has every column in every codec, and adds files of a million
# rows, which take some minutes and some gigabytes in TMPDIR.

set -eu
judge=$(realpath "$1")
mode=${2-}
cd "$(dirname "$0")"
# Not "npm ci": it refuses a lock file without the packages of other platforms, which not every registry serves. What the lock
# file names is installed in the version and with the checksum that it has.
[ -d node_modules/hyparquet ] || npm install --no-save --no-audit --no-fund
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
node judge.mjs "$judge" "$scratch" "$mode"
