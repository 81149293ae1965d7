"""`hrctl secrets`: the group."""

from __future__ import annotations

from hrctl.cli.app import Group
from hrctl.cli.secrets.cmd_edit import edit
from hrctl.cli.secrets.cmd_look import check, list_
from hrctl.cli.secrets.cmd_sops import import_sops
from hrctl.cli.secrets.cmd_values import get, keygen, set_
from hrctl.cli.secrets.merging import merge_driver
from hrctl.cli.secrets.renewing import rebind, rotate

SECRETS = Group(
    """Values that stand in manifests encrypted, each bound to its place.

    A key is needed to read one, none to write one: it is encrypted to whom hrctl.yaml names.

    Examples:
      hrctl secrets keygen
      hrctl secrets set shop/prod:Config/app DB_PASSWORD
      hrctl secrets list
      hrctl secrets check
    """,
    {
        "keygen": keygen,
        "set": set_,
        "get": get,
        "edit": edit,
        "list": list_,
        "rotate": rotate,
        "rebind": rebind,
        "check": check,
        "import-sops": import_sops,
        "merge-driver": merge_driver,
    },
)
