#!/usr/bin/env bash
# hrctl at work on examples/storefront, with real processes, in a git repository of its own.
# `make demo` calls it. Every command is printed before it runs, nothing asks, and a failure ends it.
set -euo pipefail

repository=$(cd "$(dirname "$0")/.." && pwd)
demo=$repository/demo
ports="18080 18081 18082 18085 18087 18090" # where the services of dev listen: commerce/*/

export PATH="${HRCTL_BIN:?is set by make demo}:$PATH"
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE

# Commits work on a machine where git knows nobody yet, and ask for no signature.
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=commit.gpgsign GIT_CONFIG_VALUE_0=false
git config user.name >/dev/null || export GIT_AUTHOR_NAME=Demo GIT_COMMITTER_NAME=Demo
git config user.email >/dev/null \
    || export GIT_AUTHOR_EMAIL=demo@bramble.example GIT_COMMITTER_EMAIL=demo@bramble.example

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
    strong=$'\e[1m' faint=$'\e[36m' plain=$'\e[0m'
else
    strong='' faint='' plain=''
fi

step() { printf '\n%s== %s%s\n' "$strong" "$1" "$plain"; }

run() { # shows the command as one would type it, then runs it
    printf '\n%s$ %s%s\n' "$faint" "$1" "$plain"
    eval "$1" 2>&1
}

refused() { # the same for one that is meant to fail
    if run "$1"; then
        printf 'demo: that was meant to fail\n' >&2
        exit 1
    fi
}

finish() {
    local status=$?
    if [ "$status" -ne 0 ] && [ -d "$demo" ]; then
        printf '\ndemo: stopped there, with exit code %s; "make demo-down" tidies up\n' "$status" >&2
    fi
}
trap finish EXIT

if [ -d "$demo" ]; then
    step "A demo is there already: it is stopped and made anew"
    "$repository/scripts/demo-down.sh"
fi
# shellcheck disable=SC2086 # one word for each port
python3 "$repository/scripts/ports.py" $ports
cd "$repository"

step "1. A company's platform as YAML, in a git repository of its own"
run "mkdir -p demo/storefront && cd demo/storefront"
run "git init --quiet ."
run "hrctl init --example storefront"
run "git add . && git commit --quiet --message 'Start with the storefront'"
run "cat commerce/shop/services/catalog.yaml"
run "hrctl validate"

step "2. What an apply would do; then an apply that does just that"
run "hrctl plan --out first.plan"
run "export PAYMENTS_PROVIDER_KEY=only-for-the-demo" # prod's payments refers to it
refused "hrctl apply first.plan --yes --quiet" # there is an encrypted value, and no key yet
run "export HRCTL_AGE_IDENTITY_FILE=test-identity.txt" # which everybody has; yours would be private
run "hrctl secrets list"
run "hrctl apply first.plan --yes | tail -n 1" # it shows the plan again

step "3. The tree of registries, and a request answered by four real processes"
run "hrctl registry hierarchy"
run "hrctl service health --in shop/dev"
run "hrctl service dependencies shop/dev:checkout"
run "python3 services/customer.py"
run "python3 services/customer.py teapot 2"

step "4. An edit and a commit: whatever refers to the value follows"
run "sed -i.old 's/Hello from dev/The kettle is on/' commerce/shop/dev/patches.yaml"
rm commerce/shop/dev/patches.yaml.old first.plan
run "git commit --quiet --all --message 'Greet warmly'"
run "hrctl plan"
run "hrctl apply --yes"
run "python3 services/customer.py"

step "5. Behind hrctl's back: a service is killed, a live value is changed"
run "hrctl service metrics shop/dev:checkout -o json"
pid=$(hrctl service metrics shop/dev:checkout -o json \
    | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["pid"])')
run "kill -KILL $pid"
run "python3 - <<'END'
import sqlite3
with sqlite3.connect('.hrctl/registry.db') as registry:
    registry.execute('''
        UPDATE resources
        SET body = json_set(body, '\$.spec.rollout.percentage', 100)
        WHERE address = 'bramble/commerce/shop/prod:FeatureFlag/express'
    ''')
END"
refused "python3 services/customer.py teapot"

step "6. The drift, and its repair"
run "hrctl drift"
run "hrctl apply --yes"
run "hrctl drift"
run "python3 services/customer.py teapot"

step "7. A feature flag, which checkout asks through OpenFeature, is flipped while it runs"
run "hrctl flag evaluate shop/dev:express --user ann --explain --live"
run "python3 services/customer.py teapot 1 ann | grep delivery"
run "hrctl flag disable shop/dev:express --commit --apply --yes"
run "for i in \$(seq 40); do python3 services/customer.py teapot 1 ann | grep delivery.*standard \\
    && break; sleep 0.25; done" # the provider looks at the file twice a second
python3 services/customer.py teapot 1 ann | grep -q 'delivery.*standard'
run "hrctl flag rollout shop/prod:express 50 --commit --apply --yes"

step "8. A real Envoy: a tenth of the visitors meets the next gateway, then half of them"
run "hrctl mesh simulate --in shop/dev --host shop.bramble.example --times 200"
run "python3 services/visitors.py 200"
run "hrctl mesh traffic-split shop/dev:storefront stable=50 next=50 --commit --apply --yes"
run "python3 services/visitors.py 200"
run "hrctl grid balance --route shop/dev:kiosks --key kiosk-7"
run "python3 services/visitors.py 20 kiosk-7" # always the same door
run "hrctl mesh health --in shop/dev"
run "hrctl mesh metrics --in shop/dev"

cat <<END

${strong}== The shop is open at http://127.0.0.1:18080, its project is demo/storefront${plain}

Try next (. .venv/bin/activate puts hrctl on the PATH):

  cd demo/storefront
  hrctl explain bramble/commerce/shop/dev:Service/gateway
                            where every value of the gateway comes from
  hrctl graph --format mermaid Service
                            what depends on what
  hrctl state runs          who applied what, and when
  PAGE_SIZE in commerce/shop/config.yaml, then hrctl plan
                            an edit for three environments at once

docs/getting-started.md starts from nothing. To stop the services and to remove
./demo:

  make demo-down
END
