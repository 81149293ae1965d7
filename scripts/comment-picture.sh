#!/usr/bin/env bash
# The picture in docs/ci.md: a branch of the storefront, planned against its base, as GitHub shows the comment.
#
#   scripts/comment-picture.sh [PICTURE]      default: docs/images/comment.png; HRCTL_BIN has hrctl and python
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
bin=${HRCTL_BIN:-$here/.venv/bin}
picture=$(realpath -m "${1:-$here/docs/images/comment.png}")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=init.defaultBranch GIT_CONFIG_VALUE_0=main
for who in AUTHOR COMMITTER; do
    export "GIT_${who}_NAME=Robin" "GIT_${who}_EMAIL=robin@example.org"
done

"$bin/hrctl" init --example storefront --quiet >/dev/null
git checkout --quiet -b catalog-1.5
sed -i 's/version: "1.4.2"/version: "1.5.0"/' commerce/shop/services/catalog.yaml
sed -i 's/PAGE_SIZE: {value: 20}/PAGE_SIZE: {value: 24}/; s/percentage: 10/percentage: 25/' commerce/shop/prod/patches.yaml
sed -i 's/LIMIT_CENTS: {value: 500000}/LIMIT_CENTS: {value: 750000}/
    s/  connection: {endpoint: "ledger/  capacity: {connections: 300}\n&/' commerce/payments/prod/patches.yaml
git rm --quiet platform/insights/prod/engines.yaml
git commit --quiet --all --message 'Release catalog 1.5'
"$bin/hrctl" plan --base main --quiet --report markdown=plan.md >/dev/null
"$bin/python" "$here/scripts/picture.py" plan.md "$picture" --open commerce/shop/prod
