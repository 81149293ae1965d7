#!/bin/sh
# hrctl in any CI. What it writes, hand on to people in whatever way your CI has; docs/ci.md tells more.
#
#   hrctl-ci.sh plan BASE        what this branch changes against BASE: plan.md to read, approved.txt to keep,
#                                hrctl.sarif and hrctl.xml (JUnit) for programs; leaves with 4 for too far a reach
#   hrctl-ci.sh apply APPROVED   exactly what was reviewed, or nothing: the digest in approved.txt, or that file
#   hrctl-ci.sh drift            drift.md; leaves with 0 where there is none, with 2 where there is some
#
# HRCTL_OUT is where files go: a folder outside of the checkout, in which a branch may have put anything. HRCTL_FAIL_ON is
# the grade that a plan must stay below (critical).
set -eu

out=${HRCTL_OUT:?"name a folder outside of the checkout"}
mkdir -p "$out"

case "${1-} $#" in
"plan 2")
    rm -rf "$out/plan.md" "$out/approved.txt" "$out/hrctl.sarif" "$out/hrctl.xml"
    # the digest first: it is of the plan, whether that is refused for its reach or not
    hrctl plan --base "$2" --digest > "$out/approved.txt" || rm -f "$out/approved.txt"
    hrctl plan --base "$2" --fail-on "${HRCTL_FAIL_ON:-critical}" \
        --report markdown="$out/plan.md" --report sarif="$out/hrctl.sarif" --report junit="$out/hrctl.xml"
    ;;
"apply 2")
    hrctl apply --approved "$2" --keep-drift
    ;;
"drift 1")
    rm -rf "$out/drift.md"
    hrctl drift --detailed-exitcode --report markdown="$out/drift.md"
    ;;
*)
    sed -n 's/^# \{0,1\}//; 2,10p' "$0" >&2
    exit 64
    ;;
esac
