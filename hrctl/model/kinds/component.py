"""Component: infrastructure that services use, and what is managed in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, JsonValue

from hrctl.model.kinds.base import (
    AtLeastOne,
    Broken,
    Filled,
    Lazy,
    Ruled,
    Size,
    Spec,
    choices,
)
from hrctl.model.kinds.health import HealthCheck
from hrctl.model.kinds.reference import Secret, Text

Type = Annotated[
    Literal["CACHE", "DATABASE", "QUEUE", "STORAGE", "PROXY", "LOADBALANCER", "GATEWAY"],
    choices(
        "keeps copies of data for speed",
        "keeps data",
        "hands messages on",
        "keeps files and objects",
        "stands before servers",
        "spreads requests over servers",
        "lets requests in",
    ),
]
PROVIDERS: Final[dict[str, str]] = {
    "redis": "keys and values in memory; also streams",
    "postgresql": "a relational database",
    "mongodb": "a database of documents",
    "kafka": "a distributed log of messages",
    "s3": "objects, at a cloud provider",
    "minio": "objects, on machines of your own",
    "nginx": "a web server and proxy",
    "haproxy": "a proxy and load balancer",
    "envoy": "a proxy that is configured while it runs",
}
Provider = Literal[
    "redis", "postgresql", "mongodb", "kafka", "s3", "minio", "nginx", "haproxy", "envoy"
]

FITS: Final[dict[str, tuple[str, ...]]] = {
    "CACHE": ("redis",),
    "DATABASE": ("postgresql", "mongodb", "redis"),
    "QUEUE": ("kafka", "redis"),
    "STORAGE": ("s3", "minio"),
    "PROXY": ("nginx", "haproxy", "envoy"),
    "LOADBALANCER": ("nginx", "haproxy", "envoy"),
    "GATEWAY": ("nginx", "haproxy", "envoy"),
}
_BLOCKS: Final = "hrctl.model.kinds.providers"


class Tls(Spec):
    """How the connection is encrypted."""

    enabled: bool = Field(default=True, description="Whether it is.")
    verify: bool = Field(default=True, description="Whether the server's certificate is checked.")
    ca: Text | None = Field(None, description="The authority's certificate, a file or PEM text.")
    certificate: Text | None = Field(None, description="Our certificate, a file or PEM text.")
    key: Secret | None = Field(None, description="The key of our certificate.")


class Connection(Ruled):
    """How it is reached, and as whom."""

    endpoint: Text | None = Field(
        None,
        description="host:port (several with commas), or a URL without credentials.",
    )
    database: Text | None = Field(None, description="The database, or the number of it.")
    username: Text | None = Field(
        None, description="The user; for s3 and minio the access key's id."
    )
    password: Secret | None = Field(
        None, description="The password; for s3 and minio the secret access key."
    )
    token: Secret | None = Field(None, description="A token, where one is used instead.")
    region: Text | None = Field(None, description="The region (s3, minio).")
    tls: Tls | None = Field(None, description="How the connection is encrypted.")
    options: dict[Filled, Text] = Field({}, description="What the client of the provider knows.")

    def rules(self) -> Iterator[Broken]:
        """A URL holds no password."""
        if isinstance(self.endpoint, str) and _has_password(self.endpoint):
            yield Broken(
                "plaintext in connection.endpoint: the URL holds a password",
                ("endpoint",),
                (("endpoint",),),
                "HR030",
                hint="move it to connection.password as valueFrom",
            )


def _has_password(endpoint: str) -> bool:
    try:
        return any(urlsplit(one).password is not None for one in endpoint.split(","))
    except ValueError:
        return False


class Capacity(Spec):
    """How large it is."""

    storage: Size | None = Field(None, description="Storage, such as 100Gi.")
    memory: Size | None = Field(None, description="Memory, such as 4Gi.")
    connections: AtLeastOne | None = Field(None, description="Connections at once.")


class Replication(Ruled):
    """How many copies of the data there are."""

    factor: AtLeastOne = Field(1, description="Copies, the first one included.")
    mode: Annotated[
        Literal["SYNC", "ASYNC"],
        choices("a write waits for the copies", "a write does not wait"),
    ] = Field("ASYNC", description="Whether a write waits for the copies.")
    min_in_sync: AtLeastOne | None = Field(None, description="Copies that a write waits for.")

    def rules(self) -> Iterator[Broken]:
        """No write waits for more copies than there are."""
        if self.min_in_sync is not None and self.min_in_sync > self.factor:
            yield Broken(
                f"replication.minInSync is {self.min_in_sync}, "
                f"above replication.factor {self.factor}",
                ("minInSync",),
                (("minInSync",), ("factor",)),
            )


def _enumerated(providers: Iterable[str]) -> dict[str, JsonValue]:
    words = list(providers)
    told: list[JsonValue] = [PROVIDERS[one] for one in words]
    return {"properties": {"provider": {"enum": [*words], "enumDescriptions": told}}}


def _narrowed(schema: dict[str, JsonValue]) -> None:
    """In JSON Schema: the providers of each type, and the blocks that do not go with one."""
    known: list[JsonValue] = [
        {"if": _is("type", name), "then": _enumerated(providers)}
        for name, providers in FITS.items()
    ]
    schema["allOf"] = [
        {
            "if": {"properties": {"type": {"enum": [*FITS]}}, "required": ["type"]},
            "then": {"allOf": known},
            "else": _enumerated(PROVIDERS),
        },
        *(_only_with(name) for name in PROVIDERS),
    ]


def _is(field: str, value: str) -> dict[str, JsonValue]:
    return {"properties": {field: {"const": value}}, "required": [field]}


def _only_with(provider: str) -> JsonValue:
    """A provider's block beside another provider."""
    other: dict[str, JsonValue] = {"properties": {"provider": {"not": {"const": provider}}}}
    told = f"block '{provider}' goes only with provider {provider}"
    return {
        "if": {**other, "required": ["provider", provider]},
        "then": {"properties": {provider: {"type": "null", "errorMessage": told}}},
    }


class ComponentSpec(Ruled):
    """Infrastructure that services use, and what is managed in it."""

    model_config = ConfigDict(json_schema_extra=_narrowed)

    type: Type = Field(description="What it is for.")
    provider: Provider = Field(description="What it is.")
    enabled: bool = Field(default=True, description="Whether it is wanted.")
    connection: Connection | None = Field(None, description="How it is reached, and as whom.")
    capacity: Capacity | None = Field(None, description="How large it is.")
    replication: Replication | None = Field(None, description="How many copies there are.")
    health_check: HealthCheck | None = Field(None, description="How to find out how it is.")
    redis: Annotated[Spec, Lazy(f"{_BLOCKS}.redis", "Redis")] | None = Field(
        None, description="What is managed in Redis."
    )
    postgresql: Annotated[Spec, Lazy(f"{_BLOCKS}.postgresql", "Postgresql")] | None = Field(
        None, description="What is managed in PostgreSQL."
    )
    mongodb: Annotated[Spec, Lazy(f"{_BLOCKS}.mongodb", "Mongodb")] | None = Field(
        None, description="What is managed in MongoDB."
    )
    kafka: Annotated[Spec, Lazy(f"{_BLOCKS}.kafka", "Kafka")] | None = Field(
        None, description="What is managed in Kafka."
    )
    s3: Annotated[Spec, Lazy(f"{_BLOCKS}.buckets", "ObjectStore")] | None = Field(
        None, description="What is managed in S3."
    )
    minio: Annotated[Spec, Lazy(f"{_BLOCKS}.buckets", "ObjectStore")] | None = Field(
        None, description="What is managed in MinIO."
    )
    nginx: Annotated[Spec, Lazy(f"{_BLOCKS}.nginx", "Nginx")] | None = Field(
        None, description="What is managed in nginx."
    )
    haproxy: Annotated[Spec, Lazy(f"{_BLOCKS}.haproxy", "Haproxy")] | None = Field(
        None, description="What is managed in HAProxy."
    )
    envoy: Annotated[Spec, Lazy(f"{_BLOCKS}.envoy", "Envoy")] | None = Field(
        None, description="What is managed in Envoy."
    )

    def rules(self) -> Iterator[Broken]:
        """The provider fits the type, and the block the provider."""
        if self.provider not in FITS[self.type]:
            yield Broken(
                f"provider {self.provider} does not fit type {self.type}",
                ("provider",),
                (("type",), ("provider",)),
                "HR029",
                note=f"{self.type} takes {', '.join(FITS[self.type])}",
            )
        for block in PROVIDERS:
            if block != self.provider and getattr(self, block) is not None:
                yield Broken(
                    f"block '{block}' does not go with provider {self.provider}",
                    (block,),
                    (("provider",), (block,)),
                    at_key=True,
                )
