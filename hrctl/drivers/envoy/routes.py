"""From the routes of one listener to Envoy's route configuration."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from hrctl.drivers.envoy import clusters, weights
from hrctl.drivers.envoy.names import Resource, duration, marked
from hrctl.drivers.envoy.weights import Variant
from hrctl.drivers.mesh.names import ident
from hrctl.logic.mesh.order import Entry, by_host, entries
from hrctl.model.address import Address
from hrctl.model.values import Json

ROUTES: Final = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
_PREDICATE: Final = "envoy.retry_host_predicates.previous_hosts"
_PREVIOUS: Final = (
    "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
)

Spec = Mapping[str, Json]
Known = Callable[[list[str]], Resource | None]


def configuration(
    listener: str, routes: Mapping[str, Spec], *, apart: bool, known: Known = lambda _: None
) -> Resource:
    """The route configuration of a listener: a virtual host for each set of host names.

    Args:
        listener: its name.
        routes: specs by address; with `apart` those `weights.without` them.
        apart: whether the weights of splits are runtime keys.
        known: the virtual host for some domains, where it is still as it was.
    """
    groups: dict[tuple[str, ...], list[str]] = {}
    hosts = by_host(routes)
    for host, asked in hosts.items():
        groups.setdefault(tuple(asked), []).append(host)
    return {
        "@type": ROUTES,
        "name": listener,
        "ignore_port_in_host_matching": True,
        "virtual_hosts": [
            known(names)
            or {
                "name": names[0].replace(".", "_"),  # a dot would end it among the statistics
                "domains": names,
                "routes": [
                    made
                    for entry in entries(hosts[names[0]])
                    for made in _entry(entry, routes, apart=apart)
                ],
            }
            for names in sorted(groups.values())
        ],
    }


def _entry(entry: Entry, routes: Mapping[str, Spec], *, apart: bool) -> list[Resource]:
    """The routes of one match: first those that a header or cookie leads away, then the rest."""
    address, spec = Address(entry.address), routes[entry.address]
    names = clusters.names(address, spec)
    mode = str((spec.get("trafficSplit") or {}).get("mode", ""))
    found = []
    for variant in weights.variants(address, spec):
        made = _route(address, spec, _match(spec, entry.match, variant.rule, mode))
        made["route"] = _target(spec, names, variant, apart=apart) | made["route"]
        found.append(made)
    return found


def _match(
    spec: Spec, match: Mapping[str, Any], rule: Mapping[str, Any] | None, mode: str
) -> Resource:
    path = match.get("path") or {}
    if path.get("exact") is not None:
        made: Resource = {"path": path["exact"]}
    elif path.get("regex") is not None:
        made = {"safe_regex": {"regex": path["regex"]}}
    else:
        made = {"prefix": path.get("prefix") or "/"}
    headers = [_exactly(name, value) for name, value in (match.get("headers") or {}).items()]
    if match.get("method"):
        headers.append(_exactly(":method", match["method"]))
    if rule is not None and mode == "HEADER":
        headers.append(_exactly(rule["name"], rule["value"]))
    elif rule is not None:
        pair = re.escape(f"{rule['name']}={rule['value']}")
        regex = f"(?:.*;\\s*)?{pair}(?:\\s*;.*)?"
        headers.append({"name": "cookie", "string_match": {"safe_regex": {"regex": regex}}})
    if headers:
        made["headers"] = headers
    if spec["type"] == "GRPC":
        made["grpc"] = {}
    return made


def _exactly(name: str, value: str) -> Resource:
    return {"name": name, "string_match": {"exact": value}}


def _route(address: Address, spec: Spec, match: Resource) -> Resource:
    made = {
        "name": ident(address),
        "match": match,
        "route": _action(spec),
        "metadata": marked(address),
        "stat_prefix": ident(address),
    }
    if spec.get("tracing"):
        percent = {"numerator": round(float(spec["tracing"].get("sampling", 100)) * 100)}
        share = {**percent, "denominator": "TEN_THOUSAND"}
        made["tracing"] = {"client_sampling": share, "random_sampling": share}
        made["decorator"] = {"operation": str(address)}  # which is what its spans are called
    return made


def _target(spec: Spec, names: list[str], variant: Variant, *, apart: bool) -> Resource:
    cookies = _cookies(spec) if variant.rule is None else {}
    if len(names) == 1 and not cookies:
        return {"cluster": names[0]}
    apart = apart and len(names) > 1
    made = []
    shared = [1] * len(names) if apart else weights.of(variant, spec)
    for name, weight, one in zip(names, shared, spec["destinations"], strict=True):
        part: Resource = {"name": name, "weight": weight}
        cookie = cookies.get(one.get("subset"))
        if cookie is not None:
            header = {"key": "set-cookie", "value": cookie}
            part["response_headers_to_add"] = [
                {"header": header, "append_action": "APPEND_IF_EXISTS_OR_ADD"}
            ]
        made.append(part)
    split: Resource = {"clusters": made}
    if apart:
        split["runtime_key_prefix"] = variant.prefix
    return {"weighted_clusters": split}


def _cookies(spec: Spec) -> dict[str, str]:
    """Subset -> the cookie that keeps somebody there."""
    split = spec.get("trafficSplit") or {}
    sticky = split["rules"] if split.get("mode") == "COOKIE" else ()
    # a lone percent sign would begin a command of Envoy's
    pairs = {one["subset"]: f"{one['name']}={one['value']}".replace("%", "%%") for one in sticky}
    return {subset: f"{pair}; Path=/" for subset, pair in pairs.items()}


def _action(spec: Spec) -> Resource:
    # left out: no limit, as Envoy's own 15 s would surprise
    made: Resource = {"timeout": duration(spec["timeout"]) if spec.get("timeout") else "0s"}
    retry = spec.get("retry")
    if retry and retry.get("attempts", 2):
        made["retry_policy"] = _retry(retry)
    policies = []
    for one in spec["destinations"]:
        header = clusters.hash_header(one)
        if header is not None:
            policies.append({"header": {"header_name": header}, "terminal": True})
    if any(
        clusters.balancer(spec, one) in {"IP_HASH", "CONSISTENT_HASH"}
        for one in spec["destinations"]
    ):
        policies.append({"connection_properties": {"source_ip": True}})
    if policies:
        made["hash_policy"] = policies
    if spec["type"] == "WEBSOCKET":
        made["upgrade_configs"] = [{"upgrade_type": "websocket"}]
    return made


def _retry(retry: Mapping[str, Any]) -> Resource:
    on = list(retry.get("on") or ())
    made: Resource = {"num_retries": retry.get("attempts", 2)}
    if retry.get("statusCodes"):
        made["retriable_status_codes"] = retry["statusCodes"]
        if "retriable-status-codes" not in on:
            on.append("retriable-status-codes")
    made["retry_on"] = ",".join(on)
    if retry.get("perTryTimeout"):
        made["per_try_timeout"] = duration(retry["perTryTimeout"])
    backoff = retry.get("backoff") or {}
    made["retry_back_off"] = {
        "base_interval": duration(backoff.get("base", "25ms")),
        "max_interval": duration(backoff.get("max", "250ms")),
    }
    # a retry goes to another host, where there is one
    made["retry_host_predicate"] = [{"name": _PREDICATE, "typed_config": {"@type": _PREVIOUS}}]
    made["host_selection_retry_max_attempts"] = 3
    return made
