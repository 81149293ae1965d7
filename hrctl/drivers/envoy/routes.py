"""From the routes of one listener to Envoy's route configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from hrctl.drivers.envoy import clusters
from hrctl.drivers.envoy.names import Resource, duration, ident, marked
from hrctl.logic.mesh.order import Entry, by_host, entries, shares
from hrctl.logic.mesh.simulate import led
from hrctl.model.address import Address
from hrctl.model.values import Json

ROUTES: Final = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
_PREDICATE: Final = "envoy.retry_host_predicates.previous_hosts"
_PREVIOUS: Final = (
    "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
)
WHOLE: Final = 10_000  # what weights add up to: a hundredth of a percent

Spec = Mapping[str, Json]


def configuration(listener: str, routes: Mapping[str, Spec]) -> Resource:
    """The route configuration of a listener: a virtual host for each set of host names."""
    groups: dict[tuple[str, ...], list[str]] = {}
    hosts = by_host(routes)
    for host, asked in hosts.items():
        groups.setdefault(tuple(asked), []).append(host)
    return {
        "@type": ROUTES,
        "name": listener,
        "ignore_port_in_host_matching": True,
        "virtual_hosts": [
            {
                "name": names[0].replace(".", "_"),  # a dot would end it among the statistics
                "domains": names,
                "routes": [
                    made for entry in entries(hosts[names[0]]) for made in _entry(entry, routes)
                ],
            }
            for names in sorted(groups.values())
        ],
    }


def _entry(entry: Entry, routes: Mapping[str, Spec]) -> list[Resource]:
    """The routes of one match: first those that a header or cookie leads away, then the rest."""
    address, spec = Address(entry.address), routes[entry.address]
    names = clusters.names(address, spec)
    split = spec.get("trafficSplit") or {}
    found = []
    if split.get("mode") in {"HEADER", "COOKIE"}:
        for rule in split["rules"]:
            weights = led(spec, rule["subset"])
            matched = _match(spec, entry.match, rule, split["mode"])
            found.append(_route(address, spec, matched, names, weights, {}))
    sticky = split["rules"] if split.get("mode") == "COOKIE" else ()
    cookies = {rule["subset"]: f"{rule['name']}={rule['value']}; Path=/" for rule in sticky}
    rest = _match(spec, entry.match, None, "")
    return [*found, _route(address, spec, rest, names, shares(spec), cookies)]


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


def _route(  # noqa: PLR0913, PLR0917 - what a route is made of
    address: Address,
    spec: Spec,
    match: Resource,
    names: list[str],
    weights: list[float],
    cookies: Mapping[str, str],
) -> Resource:
    action = _target(spec, names, weights, cookies) | _action(spec)
    made = {
        "name": ident(address),
        "match": match,
        "route": action,
        "metadata": marked(address),
        "stat_prefix": ident(address),
    }
    if spec.get("tracing"):
        percent = {"numerator": round(float(spec["tracing"].get("sampling", 100)) * 100)}
        share = {**percent, "denominator": "TEN_THOUSAND"}
        made["tracing"] = {"client_sampling": share, "random_sampling": share}
        made["decorator"] = {"operation": str(address)}  # which is what its spans are called
    return made


def _target(
    spec: Spec, names: list[str], weights: list[float], cookies: Mapping[str, str]
) -> Resource:
    if len(names) == 1 and not cookies:
        return {"cluster": names[0]}
    made = []
    whole = whole_weights(weights)
    for name, weight, one in zip(names, whole, spec["destinations"], strict=True):
        part: Resource = {"name": name, "weight": weight}
        cookie = cookies.get(one.get("subset"))
        if cookie is not None:
            header = {"key": "set-cookie", "value": cookie}
            part["response_headers_to_add"] = [
                {"header": header, "append_action": "APPEND_IF_EXISTS_OR_ADD"}
            ]
        made.append(part)
    return {"weighted_clusters": {"clusters": made}}


def whole_weights(weights: list[float]) -> list[int]:
    """Whole numbers in the same proportion; those that are whole already stay as they are.

    The largest remainders get what rounding leaves over, so that none is lost.
    """
    if all(weight == int(weight) for weight in weights):
        return [int(weight) for weight in weights]
    total = sum(weights)
    exact = [weight * WHOLE / total for weight in weights]
    floors = [int(one) for one in exact]
    order = sorted(range(len(exact)), key=lambda i: (floors[i] - exact[i], i))
    for index in order[: WHOLE - sum(floors)]:
        floors[index] += 1
    return floors


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
