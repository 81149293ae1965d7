"""Addresses of resources: parse, format, select.

acme/payments/checkout/prod:Service/api
`------ registry --------' `kind-' `name'
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import translate
from functools import lru_cache
from typing import Final, NamedTuple

from hrctl.diagnostics import HrctlError

NAME: Final = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_ADDRESS: Final = re.compile(rf"({NAME}(?:/{NAME})*):([A-Z][A-Za-z]*)/({NAME})")
_NAME: Final = re.compile(NAME)


def is_name(text: str) -> bool:
    """Whether `text` may be the name of a resource: as in DNS, at most 63 characters."""
    return _NAME.fullmatch(text) is not None


class Address(str):
    """The identity of a resource, as text: ``<registry path>:<Kind>/<name>``.

    It is a `str`, so that a hundred thousand of them can be compared, hashed and stored without a
    conversion. `Address(text)` trusts its argument; `Address.parse` does not.
    """

    __slots__ = ()

    @classmethod
    def of(cls, registry: str, kind: str, name: str) -> Address:
        """The address of `kind`/`name` in the registry at the path `registry`."""
        return cls(f"{registry}:{kind}/{name}")

    @classmethod
    def parse(cls, text: str) -> Address:
        """Check `text` and make it an address.

        Raises:
            HrctlError: HR140, where it does not have the form.
        """
        if _ADDRESS.fullmatch(text) is None:
            raise HrctlError.of(
                "HR140",
                f"'{text}' is not an address",
                hint="the form is <registry path>:<Kind>/<name>, as acme/shop/prod:Service/api",
            )
        return cls(text)

    @property
    def registry(self) -> str:
        """The path of the registry, `acme/payments/prod`."""
        return self.partition(":")[0]

    @property
    def kind(self) -> str:
        """The kind, `Service`."""
        return self.partition(":")[2].partition("/")[0]

    @property
    def name(self) -> str:
        """The name within registry and kind, `api`."""
        return self.partition(":")[2].partition("/")[2]

    @property
    def local(self) -> str:
        """Kind and name without the registry, `Service/api`."""
        return self.partition(":")[2]


def ancestors(registry: str) -> list[str]:
    """The registry itself and each one above it, nearest first."""
    paths = [registry]
    while "/" in registry:
        registry = registry.rpartition("/")[0]
        paths.append(registry)
    return paths


def is_within(registry: str, subtree: str) -> bool:
    """Whether the registry lies in the subtree (a registry lies in its own)."""
    return registry == subtree or registry.startswith(subtree + "/")


@lru_cache(maxsize=256)
def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile(translate(pattern))


class Selector(NamedTuple):
    """What `--target` and `--exclude` take.

    One of: a label (`team=payments`), a glob over addresses (`acme/*/prod:Service/*`), an address,
    a registry path with all below it (`acme/payments`), or kind and name anywhere (`Service/api`).
    """

    text: str

    def matches(self, address: Address, labels: Mapping[str, str]) -> bool:
        """Whether the resource with these labels is meant."""
        text = self.text
        if "=" in text:
            key, _, value = text.partition("=")
            return labels.get(key) == value
        if any(mark in text for mark in "*?["):
            return _glob(text if ":" in text else f"{text}:*").match(address) is not None
        if ":" in text:
            return address == text
        if text[:1].isupper():
            return text in {address.local, address.kind}
        return is_within(address.registry, text)


def selected(
    address: Address,
    labels: Mapping[str, str],
    targets: Iterable[Selector],
    excludes: Iterable[Selector],
) -> bool:
    """Whether a resource stays: it matches a target (where there are any) and no exclusion."""
    targets = list(targets)
    return (not targets or any(one.matches(address, labels) for one in targets)) and not any(
        one.matches(address, labels) for one in excludes
    )
