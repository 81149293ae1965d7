"""Options that several commands take, and the plan options that they make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hrctl.cli.complete import complete_address, complete_selector
from hrctl.diagnostics import HrctlError
from hrctl.model.address import Address, Selector
from hrctl.model.radius import Grade, Thresholds

if TYPE_CHECKING:  # half the commands that read options make no plan
    from hrctl.model.settings import Grades
    from hrctl.reconcile.options import SafetyLimits

Targets = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        "-t",
        metavar="SELECTOR",
        help="Only these and what they need: an address, a registry, a kind, a glob, a label.",
        autocompletion=complete_selector,
    ),
]
Excludes = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude",
        metavar="SELECTOR",
        help="Not these, nor what depends on a change of theirs.",
        autocompletion=complete_selector,
    ),
]
Context = Annotated[
    int,
    typer.Option(
        "--context", min=0, metavar="N", help="Show N unchanged fields around each changed one."
    ),
]
Adopt = Annotated[bool, typer.Option("--adopt", help="Take over what is live and has no owner.")]
Overwrite = Annotated[
    bool,
    typer.Option("--overwrite", help="Where live, applied and declared differ, take the declared."),
]
KeepDrift = Annotated[
    bool, typer.Option("--keep-drift", help="Leave what was changed in the live systems.")
]
Cascade = Annotated[
    bool, typer.Option("--cascade", help="Delete a registry with all that is in it.")
]
Force = Annotated[
    list[str] | None,
    typer.Option(
        "--force",
        metavar="ADDRESS",
        help="Delete or replace this one although it is protected.",
        autocompletion=complete_address,
    ),
]
AllowDeletes = Annotated[
    int | None,
    typer.Option("--allow-deletes", min=0, metavar="N", help="Delete up to N, whatever the limit."),
]
AllowUpdates = Annotated[
    int | None,
    typer.Option("--allow-updates", min=0, metavar="N", help="Update up to N, whatever the limit."),
]
RefreshOnly = Annotated[
    bool,
    typer.Option("--refresh-only", help="Bring the ledger up to what is live, touch nothing else."),
]
Offline = Annotated[
    bool, typer.Option("--offline", help="Ask no live system: declared against applied.")
]
DetailedExitcode = Annotated[
    bool, typer.Option("--detailed-exitcode", help="Leave with 2 where there are changes.")
]
Parallelism = Annotated[
    int | None,
    typer.Option("--parallelism", min=1, metavar="N", help="Work on up to N at once (10)."),
]
Report = Annotated[
    list[str] | None,
    typer.Option(
        "--report",
        metavar="FORMAT=FILE",
        help="Write the result to a file, too: text, json, github, sarif, junit, markdown.",
    ),
]
MaxBytes = Annotated[
    int,
    typer.Option(
        "--max-bytes",
        min=2_048,
        metavar="N",
        help="Shorten Markdown to N bytes (65536, what a comment on GitHub holds).",
        show_default=False,
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="Save the plan, for `hrctl apply FILE`."),
]
FailOn = Annotated[
    str | None,
    typer.Option(
        "--fail-on",
        metavar="GRADE",
        help="Leave with 4 where the blast radius is this or more: low, medium, high, critical.",
        autocompletion=lambda: [one.value for one in Grade if one is not Grade.NONE],
    ),
]
Digest = Annotated[
    bool,
    typer.Option(
        "--digest", help="Print the digest that `hrctl apply --approved` takes, not the plan."
    ),
]
Approved = Annotated[
    str | None,
    typer.Option(
        "--approved",
        metavar="DIGEST|FILE",
        help="Apply only what was approved: the digest of `hrctl plan --digest`, or its file.",
    ),
]
Since = Annotated[
    str | None,
    typer.Option(
        "--since", metavar="REV", help="What changed in the declarations since this commit."
    ),
]
BaseRev = Annotated[
    str | None,
    typer.Option(
        "--base", metavar="REV", help="Only what this branch changes, against its base: main."
    ),
]
Live = Annotated[
    bool,
    typer.Option("--live", help="With --base: also look at the live systems that the base names."),
]
PlanFile = Annotated[
    Path | None,
    typer.Argument(metavar="[FILE]", help="A plan that `hrctl plan --out` saved."),
]
RollbackOnFailure = Annotated[
    bool,
    typer.Option(
        "--rollback-on-failure", help="Where it fails, bring back what was applied before."
    ),
]
Wait = Annotated[
    str | None,
    typer.Option(
        "--wait",
        metavar="[DURATION]",
        help="Wait for another run's lease, 10m if no DURATION follows, and plan again if needed.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def selectors(texts: Sequence[str] | None) -> tuple[Selector, ...]:
    """What was given to an option that selects."""
    return tuple(Selector(text) for text in texts or ())


def forced(texts: Sequence[str] | None) -> frozenset[Address]:
    """What was given to `--force`.

    Raises:
        HrctlError: HR140, where one is not an address.
    """
    return frozenset(Address.parse(text) for text in texts or ())


def grade(text: str | None) -> Grade | None:
    """What was given to `--fail-on`.

    Raises:
        HrctlError: HR145 for another word.
    """
    if text is None:
        return None
    grades = [one for one in Grade if one is not Grade.NONE]
    if text not in grades:
        raise HrctlError.of(
            "HR145",
            f"'{text}' is no grade of a blast radius",
            hint=f"one of {', '.join(grades)}",
        )
    return Grade(text)


def thresholds(blast_radius: Grades) -> Thresholds:
    """Where the grades of the blast radius begin, of `blastRadius` in the project file."""
    return {
        measure: {grade: number for grade, number in grades.items() if number is not None}
        for measure, grades in blast_radius.items()
    }


def limits(safety: Mapping[str, Any]) -> SafetyLimits:
    """The limits of `safety` in the project file; what it leaves out is as built in."""
    from hrctl.reconcile.options import SafetyLimits

    names = {
        "maxDeletes": "max_deletes",
        "maxDeletePercent": "max_delete_percent",
        "maxUpdates": "max_updates",
        "maxUpdatePercent": "max_update_percent",
    }
    return SafetyLimits(**{names[key]: value for key, value in safety.items() if key in names})
