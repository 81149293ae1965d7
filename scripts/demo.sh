#!/usr/bin/env bash
# hrctl at work on examples/storefront, with real processes, in a git repository of its own.
# `make demo` calls it. Every command is printed before it runs; nothing asks, and a failure ends it.
set -euo pipefail

repository=$(cd "$(dirname "$0")/.." && pwd)
demo=$repository/demo
project=$demo/storefront
ports="18080 18081 18082 18085 18087" # those of the services in dev, see bramble/commerce

export PATH="${HRCTL_BIN:?set by make demo}:$PATH"
export GIT_CONFIG_NOSYSTEM=1 GIT_PAGER=cat
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE PAYMENTS_PROVIDER_KEY

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'; else bold='' dim='' plain=''; fi

say() { printf '\n%s# %s%s\n' "$bold" "$1" "$plain"; }

run() { # show a command as one would type it, then run it
    printf '%s$ %s%s\n' "$dim" "$1" "$plain"
    eval "$1"
}

trap 'status=$?; [ "$status" = 0 ] || printf "\ndemo: the command above failed with exit code %s\n" "$status" >&2' EXIT

if [ -d "$demo" ]; then
    say "A demo is there already: it is stopped and made anew"
    "$repository/scripts/demo-down.sh"
fi
python3 "$repository/scripts/ports.py" $ports

say "1. A platform as YAML, in a git repository of its own"
mkdir -p "$demo"
cp -R "$repository/examples/storefront" "$project"
find "$project" -name __pycache__ -type d -prune -exec rm -rf {} +
cd "$project"
git init --quiet --initial-branch=main
git config user.name >/dev/null || git config user.name Demo
git config user.email >/dev/null || git config user.email demo@bramble.example
git config commit.gpgsign false
run "cd demo/storefront" 2>/dev/null || true
