from dataclasses import replace

import pytest

from hrctl.cli.render.style import ansi
from hrctl.cli.render.text import plan_lines, summary
from hrctl.diagnostics import Span
from hrctl.model.address import Address
from hrctl.model.plan import ABSENT, Action, Change, FieldChange, Plan, Reason

PROD = "acme/payments/checkout/prod"
SECRETS = [{"valueFrom": {"age": text}} for text in ("one", "two")]


def change(address: str, action: Action, reason: Reason, **rest: object) -> Change:
    return Change(Address(address), action, reason, "local", **rest)  # type: ignore[arg-type]


def plan(*changes: Change) -> Plan:
    return Plan("id", "2026-01-01T00:00:00+00:00", "c0ffee", False, "", 1, {}, changes, resources=7)


SAMPLE = (
    change(
        f"{PROD}:Service/api",
        Action.UPDATE,
        Reason.EDITED,
        span=Span("services/api.yaml", 9),
        before={},
        after={"spec": {"type": "API", "replicas": 3, "env": {"LOG_LEVEL": "debug"}, "port": 1}},
        fields=(
            FieldChange("/spec/replicas", 3, 2, 2, Reason.EDITED),
            FieldChange(
                "/spec/env/LOG_LEVEL",
                "debug",
                "info",
                "info",
                Reason.EDITED,
                origin=Span("payments/registry.yaml", 12),
            ),
        ),
    ),
    change(
        f"{PROD}:Config/app",
        Action.UPDATE,
        Reason.EDITED,
        span=Span("config.yaml", 3),
        after={},
        fields=(
            FieldChange(
                "/spec/entries/DB_PASSWORD",
                SECRETS[1],
                SECRETS[0],
                SECRETS[0],
                Reason.EDITED,
                sensitive=True,
            ),
        ),
    ),
    change(
        f"{PROD}:Route/checkout",
        Action.UPDATE,
        Reason.DRIFTED,
        span=Span("routes/checkout.yaml", 1),
        after={"spec": {"destinations": [{"subset": "v1"}, {"subset": "v2", "weight": 10}]}},
        fields=(FieldChange("/spec/destinations/1/weight", 10, 10, 50, Reason.DRIFTED),),
    ),
    change(
        f"{PROD}:Node/worker-7",
        Action.DELETE,
        Reason.UNDECLARED,
        note="removed in 4f1c2ab, 2 days ago",
    ),
    change(
        "acme/payments/ledger/dev:Service/ledger",
        Action.CREATE,
        Reason.NEW,
        span=Span("services/ledger.yaml", 1),
    ),
)


def test_a_plan_looks_like_this() -> None:
    assert "\n".join(plan_lines(plan(*SAMPLE))) == (
        """\
acme/payments/checkout/prod
  ~ Service/api              edited     services/api.yaml:9
      replicas               2 -> 3
      env.LOG_LEVEL          "info" -> "debug"    from payments/registry.yaml:12
  ~ Config/app               edited     config.yaml:3
      entries.DB_PASSWORD    (sensitive #1, changed)
  ! Route/checkout           drifted    routes/checkout.yaml:1
      destinations[v2].weight   live 50, wanted 10
  - Node/worker-7            undeclared (removed in 4f1c2ab, 2 days ago)

acme/payments/ledger/dev
  + Service/ledger           new        services/ledger.yaml:1

Plan: 1 to add, 2 to change, 1 to destroy, 1 drifted."""
    )


def test_colours_change_no_letter() -> None:
    import re

    colored = "\n".join(plan_lines(plan(*SAMPLE), paint=ansi))
    assert "\x1b[" in colored
    assert re.sub(r"\x1b\[[\d;]*m", "", colored) == "\n".join(plan_lines(plan(*SAMPLE)))


def test_context_shows_the_unchanged_fields_around() -> None:
    lines = list(plan_lines(plan(SAMPLE[0]), context=1))
    assert lines[2:6] == [
        '      type                   "API"',
        "      replicas               2 -> 3",
        '      env.LOG_LEVEL          "info" -> "debug"    from payments/registry.yaml:12',
        "      port                   1",
    ]


def test_context_shows_fields_of_what_is_new() -> None:
    new = replace(SAMPLE[4], after={"spec": {"type": "API", "replicas": 2, "ports": []}})
    assert list(plan_lines(plan(new), context=1))[2] == '      type                   "API"'


@pytest.mark.parametrize("width", [80, 60, 200])
def test_no_value_goes_beyond_the_width(width: int) -> None:
    long = "python -m http.server --bind 127.0.0.1 --directory /srv/www/a/long/path/to/it 8000 " * 2
    fields = (
        FieldChange("/spec/command", long + "x", long + "y", long + "y", Reason.EDITED),
        FieldChange("/spec/env/" + "A" * 90, {"a": long}, [long], [long], Reason.EDITED),
        FieldChange("/spec/args", ABSENT, long, long, Reason.CONFLICT),
    )
    one = replace(SAMPLE[0], fields=fields, span=Span("very/" * 30 + "api.yaml", 12))
    assert max(map(len, plan_lines(plan(one), width=width, context=2))) <= width


def test_the_difference_of_long_values_stays_in_sight() -> None:
    start = "x" * 300
    fields = (FieldChange("/spec/command", f"{start} new", "", f"{start} old", Reason.EDITED),)
    text = "\n".join(plan_lines(plan(replace(SAMPLE[0], fields=fields))))
    assert 'old"' in text
    assert 'new"' in text


@pytest.mark.parametrize("evil", ["\x1b[2J", "a\nb", "\u202egnp.exe", "\x9b31m", "\r", "\u2028"])
def test_no_value_can_act_on_a_terminal(evil: str) -> None:
    fields = (
        FieldChange("/spec/env/X", evil, evil, "", Reason.CONFLICT),
        FieldChange(f"/spec/env/{evil}", {evil: [evil]}, ABSENT, ABSENT, Reason.EDITED),
    )
    one = replace(SAMPLE[0], fields=fields, span=Span(evil, 1), note=None)
    other = replace(SAMPLE[3], note=evil)
    lines = list(plan_lines(plan(one, other), context=1))
    assert all(line.isprintable() for line in lines)
    assert len(lines) == len(list(plan_lines(plan(one, replace(other, note="x")), context=1)))


def test_equal_secrets_have_equal_numbers() -> None:
    fields = tuple(
        FieldChange(f"/spec/env/{name}", new, old, old, Reason.EDITED, sensitive=True)
        for name, old, new in (("A", SECRETS[0], SECRETS[1]), ("B", SECRETS[1], SECRETS[0]))
    )
    lines = list(plan_lines(plan(replace(SAMPLE[0], fields=fields))))
    assert lines[2].endswith("(sensitive #1, changed)")
    assert lines[3].endswith("(sensitive #2, changed)")


def test_what_only_the_apply_knows() -> None:
    reference = {"valueFrom": {"component": "acme:Component/db", "output": "port"}}
    field = FieldChange("/spec/env/PORT", reference, 1, 1, Reason.REFERENCED, unknown=True)
    lines = list(plan_lines(plan(replace(SAMPLE[0], fields=(field,)))))
    assert lines[2] == "      env.PORT               1 -> (known after apply)"


def test_a_conflict_shows_all_three() -> None:
    field = FieldChange("/spec/replicas", 3, 2, 5, Reason.CONFLICT)
    lines = list(plan_lines(plan(replace(SAMPLE[0], fields=(field,)))))
    assert lines[2] == "      replicas               live 5, wanted 3, last applied 2"


def test_the_summary_of_nothing_to_do() -> None:
    assert summary(plan()) == "No changes. 7 resources as declared."
    assert summary(replace(plan(), resources=1)) == "No changes. 1 resource as declared."
    assert summary(replace(plan(), destroy=True)) == "No changes. Nothing is left to destroy."


def test_the_summary_counts_a_replace_twice() -> None:
    replaced = replace(SAMPLE[0], action=Action.REPLACE, reason=Reason.IMMUTABLE)
    adopted = replace(SAMPLE[4], action=Action.ADOPT)
    assert summary(plan(replaced, adopted)) == (
        "Plan: 1 to add, 0 to change, 1 to destroy, 1 to adopt."
    )


def test_a_move_names_where_it_comes_from() -> None:
    moved = replace(
        SAMPLE[0],
        reason=Reason.MOVED,
        fields=(),
        previous_address=Address("acme/old:Service/api"),
    )
    assert list(plan_lines(plan(moved)))[2] == "      moved from             acme/old:Service/api"


def test_what_a_destroy_takes_away_is_not_called_undeclared() -> None:
    gone = change("acme:Config/app", Action.DELETE, Reason.UNDECLARED)
    assert list(plan_lines(plan(gone)))[1] == "  - Config/app               undeclared"
    destroyed = replace(plan(gone), destroy=True)
    assert list(plan_lines(destroyed))[1] == "  - Config/app               destroy"
