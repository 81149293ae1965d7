"""The table of all commands: static, so that help and completion import none of them.

A new command is one more row: (name, summary, ``module:ATTRIBUTE``). The attribute is either the
function of the command or a `hrctl.cli.app.Group` of functions.
"""

from __future__ import annotations

Row = tuple[str, str, str]

SECTIONS: tuple[tuple[str, tuple[Row, ...]], ...] = (
    (
        "Write",
        (
            ("init", "start a project here, from an example or empty", "hrctl.cli.cmd_init:init"),
            ("validate", "check every manifest", "hrctl.cli.cmd_validate:validate"),
            ("fmt", "put manifests into canonical layout", "hrctl.cli.cmd_fmt:fmt"),
            ("schema", "print or write the JSON Schemas", "hrctl.cli.cmd_schema:schema"),
            ("import", "write manifests of what is live", "hrctl.cli.cmd_import:import_"),
        ),
    ),
    (
        "Change",
        (
            ("plan", "show what an apply would do", "hrctl.cli.cmd_plan:plan"),
            ("apply", "make the live systems as declared", "hrctl.cli.cmd_apply:apply"),
            ("destroy", "remove everything that is ours", "hrctl.cli.cmd_apply:destroy"),
            ("rollback", "bring back what was declared before", "hrctl.cli.cmd_rollback:rollback"),
            ("drift", "show what was changed behind our back", "hrctl.cli.cmd_plan:drift"),
        ),
    ),
    (
        "Look",
        (
            ("get", "show what is live", "hrctl.cli.cmd_get:get"),
            ("explain", "tell where values come from", "hrctl.cli.cmd_explain:explain"),
            (
                "history",
                "each change of a resource",
                "hrctl.cli.cmd_history:history",
            ),
            ("blame", "each value beside the commit that set it", "hrctl.cli.cmd_blame:blame"),
            ("diff", "compare what two revisions declare", "hrctl.cli.cmd_diff:diff"),
            ("graph", "draw what depends on what", "hrctl.cli.cmd_graph:graph"),
        ),
    ),
    (
        "Kinds",
        (
            ("registry", "the hierarchy", "hrctl.cli.verbs.registry:REGISTRY"),
            ("service", "services and their processes", "hrctl.cli.verbs.service:SERVICE"),
            ("engine", "compute engines", "hrctl.cli.verbs.kinds:ENGINE"),
            ("component", "infrastructure components", "hrctl.cli.verbs.kinds:COMPONENT"),
            ("flag", "feature flags", "hrctl.cli.verbs.flag:FLAG"),
            ("grid", "nodes of the grid", "hrctl.cli.verbs.grid:GRID"),
            ("config", "configuration", "hrctl.cli.verbs.kinds:CONFIG"),
            ("mesh", "routes of the service mesh", "hrctl.cli.verbs.mesh:MESH"),
            ("plugin", "plugins", "hrctl.cli.verbs.kinds:PLUGIN"),
        ),
    ),
    (
        "Look after",
        (
            ("secrets", "encrypted values", "hrctl.cli.secrets.group:SECRETS"),
            ("state", "the ledger: entries, runs, locks", "hrctl.cli.cmd_state:STATE"),
            ("driver", "the drivers and whether they answer", "hrctl.cli.cmd_driver:DRIVER"),
            ("ci", "comments and issues of GitHub and GitLab", "hrctl.cli.cmd_ci:CI"),
        ),
    ),
)

ROWS: dict[str, Row] = {row[0]: row for _, rows in SECTIONS for row in rows}

_HEAD = """\
Usage: hrctl [OPTIONS] COMMAND [ARGS]...

  Declare a whole platform as YAML in git, plan it, apply it.
"""

_TAIL = """\
Options, before or after the command:
  -C DIR                Work as if started in DIR.
  -o, --output FORMAT   text or json; some commands have more.
  --identity FILE       A key that opens secrets; repeatable.
  --no-color            No colour, as with a non-empty NO_COLOR.
  -v, --verbose         Tell more.
  -q, --quiet           Tell only data and errors.
  --debug               Show the traceback of an internal error.
  --version             Print the version.
  --install-completion  Install completion for the current shell.
  --show-completion     Print it, to install it by hand.
  --help                Print this, or the help of a command.

Examples:
  hrctl init --example quickstart
  hrctl plan
  hrctl apply

`hrctl COMMAND --help` tells more of a command, `hrctl explain CODE` of a code.
"""


def root_help() -> str:
    """The text of `hrctl --help`, the only one there is."""
    width = max(map(len, ROWS)) + 2
    parts = [_HEAD]
    for title, rows in SECTIONS:
        lines = [f"  {name:<{width}}{summary}" for name, summary, _ in rows]
        parts.append("\n".join([f"{title}:", *lines, ""]))
    return "\n".join([*parts, _TAIL])
