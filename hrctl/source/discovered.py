"""What sources of nodes name: DNS SRV records, or a file that another program writes.

Nothing here is on the path of a plan: `hrctl grid discover` asks, and writes manifests.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hrctl.diagnostics import HrctlError
from hrctl.model.address import is_name
from hrctl.model.values import Json

if TYPE_CHECKING:
    from dns.resolver import Resolver

PATIENCE: Final = 5.0  # seconds for one question, all tries together
PRIORITY: Final = "srv-priority"  # the label with a record's priority

Nodes = dict[str, dict[str, Json]]


def nodes(discovery: Mapping[str, Any], root: Path) -> Nodes:
    """The fields of each node that a source names, by name, sorted.

    Args:
        discovery: `spec.discovery` of a registry.
        root: the project's root, where paths of files start.

    Raises:
        HrctlError: HR231, where the source cannot be asked, or says something that makes no nodes;
            HR082, where dnspython is not installed.
    """
    if discovery.get("dns"):
        found = _of_dns(discovery["dns"])
    else:
        path = discovery["file"]["path"]
        found = _of_file(root / Path(path).expanduser(), path)
    return dict(sorted(found.items()))


def _failed(what: str, hint: str) -> HrctlError:
    return HrctlError.of("HR231", what, hint=hint)


# -- DNS -----------------------------------------------------------------------------------------


def _of_dns(source: Mapping[str, Any]) -> Nodes:
    """The nodes of SRV records (RFC 2782), each called as the first label of its target.

    A target at several ports is several nodes, whose names end in the port. An envoy's hosts have
    numbers for addresses, so the target is looked up too; the lowest address is taken.
    """
    records = _ask(source, str(source["name"]), "SRV")
    targets = [(record.target.to_text(omit_final_dot=True), record) for record in records]
    if all(target == "." or not target for target, _ in targets):  # RFC 2782: not offered here
        return {}
    many = [target.partition(".")[0].lower() for target, _ in targets]
    found: Nodes = {}
    for target, record in sorted(targets, key=lambda one: (one[0], one[1].port)):
        label = target.partition(".")[0].lower()
        name = re.sub(r"[^a-z0-9-]", "-", label)
        if many.count(label) > 1:
            name = f"{name}-{record.port}"
        if name in found or not is_name(name):
            raise _failed(
                f"the SRV record for {target}:{record.port} makes no name of its own: '{name}'",
                "give each target another first label, of letters, digits and -",
            )
        found[name] = {
            "address": f"{_number(source, target)}:{record.port}",
            "weight": max(1, record.weight),  # 0 is a very small share, by the RFC
            "labels": {PRIORITY: str(record.priority)},
        }
    return found


def _number(source: Mapping[str, Any], target: str) -> str:
    import dns.resolver

    resolver = _resolver(source)
    for sort in ("A", "AAAA"):
        try:
            answer = resolver.resolve(target, sort, lifetime=PATIENCE, search=False)
        except dns.resolver.NoAnswer:
            continue
        except dns.exception.DNSException as error:
            raise _unanswered(source, target, sort, error) from error
        first = min(record.to_text() for record in answer)
        return f"[{first}]" if sort == "AAAA" else first
    raise _failed(f"{target} has no address in DNS", "give it an A or AAAA record")


def _ask(source: Mapping[str, Any], name: str, sort: str) -> list[Any]:
    resolver = _resolver(source)
    import dns.exception

    try:
        return list(resolver.resolve(name, sort, lifetime=PATIENCE, search=False))
    except dns.exception.DNSException as error:
        raise _unanswered(source, name, sort, error) from error


def _unanswered(source: Mapping[str, Any], name: str, sort: str, error: Exception) -> HrctlError:
    server = source.get("server") or "the machine's name server"
    why = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return _failed(
        f"{server} does not tell {sort} of {name}: {why}",
        "nodes that are declared stay as they are; ask again when it answers",
    )


def _resolver(source: Mapping[str, Any]) -> Resolver:
    try:
        import dns.exception
        import dns.resolver
    except ImportError:
        raise HrctlError.of(
            "HR082",
            "discovery by DNS needs the library dnspython",
            hint="pip install 'hrctl[dns]'",
        ) from None
    server = source.get("server")
    try:
        resolver = dns.resolver.Resolver(configure=server is None)
        if server is not None:
            host, _, port = str(server).rpartition(":")
            resolver.nameservers = [_numeric(host.strip("[]"))]
            resolver.port = int(port)
    except (dns.exception.DNSException, OSError, ValueError) as error:
        raise _failed(
            f"no name server to ask at {server or 'this machine'}: {error}",
            "name one by its host and port in `server`",
        ) from error
    return resolver


def _numeric(host: str) -> str:
    import socket

    return str(socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)[0][4][0])


# -- a file --------------------------------------------------------------------------------------


def _of_file(place: Path, shown: str) -> Nodes:
    """The `nodes` of a YAML or JSON file: a name, and fields of a Node's spec."""
    from hrctl.source.parse import parse_file

    hint = "it holds `nodes:`, a list of maps with name, address and further fields of a Node"
    try:
        data = place.read_bytes()
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise _failed(f"cannot read the nodes in {shown}: {why}", hint) from error
    documents, problems = parse_file(data, shown)
    if problems:
        raise HrctlError(*problems)
    listed = documents[0][1].get("nodes") if len(documents) == 1 else None
    if not isinstance(listed, list):
        raise _failed(f"{shown} has no list of nodes", hint)
    found: Nodes = {}
    for number, one in enumerate(listed, 1):
        if not isinstance(one, dict) or not isinstance(one.get("address"), str):
            raise _failed(f"node {number} in {shown} has no address", hint)
        name = one.get("name")
        if not isinstance(name, str) or not is_name(name):
            raise _failed(f"node {number} in {shown} has no name that can be one: {name!r}", hint)
        if name in found:
            raise _failed(f"{shown} names the node {name} twice", hint)
        found[name] = {key: value for key, value in one.items() if key != "name"}
    return found
