#!/bin/sh
# Install hrctl from the commit that this file belongs to, into a virtual environment of its own.
#
#   install.sh FOLDER
#
# Every package comes from requirements/run.lock, by its hash; hrctl itself is built from the files here, without
# anything being fetched for it. Python is isolated (-I): no file of the current folder is imported, which in a CI is
# that of a stranger's branch.
set -eu

target=${1:?"usage: install.sh FOLDER"}
source=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)

python3 -I -m venv --clear "$target"
python="$target/bin/python"
"$python" -I -m pip install --quiet --disable-pip-version-check --require-hashes --requirement "$source/requirements/run.lock"
"$python" -I -m pip install --quiet --disable-pip-version-check --no-deps --no-index --no-build-isolation "$source"
