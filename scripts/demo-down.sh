#!/usr/bin/env bash
# Stops what `make demo` started and removes ./demo. `make demo-down` calls it.
set -euo pipefail

demo=$(cd "$(dirname "$0")/.." && pwd)/demo

if [ ! -d "$demo" ]; then
    echo "There is no ./demo."
    exit 0
fi

alive() { ps -p "$1" -o args= 2>/dev/null | grep -q supervisord; }

# supervisord ends its services when it is told to end.
for file in "$demo"/storefront/.hrctl/run/*/daemon.pid; do
    [ -e "$file" ] || continue
    supervisor=$(cat "$file")
    alive "$supervisor" || continue
    kill -TERM "$supervisor"
    for _ in $(seq 300); do
        alive "$supervisor" || break
        sleep 0.1
    done
    if alive "$supervisor"; then
        echo "demo-down: supervisord (process $supervisor) does not end; ./demo is left there" >&2
        exit 1
    fi
    echo "The demo's services have stopped."
done
rm -rf "$demo"
echo "./demo is removed."
