"""What the models of all kinds are made of: the strict base, references, secrets, amounts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib import import_module
from ipaddress import IPv6Address
from shlex import join
from typing import Annotated, Any, Final, Literal, NamedTuple, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from hrctl.model import address
from hrctl.model.kinds import units


class Broken(NamedTuple):
    """A rule between fields that a document breaks.

    `at` is the field to point at and `needs` the fields that the rule looks at, both as paths from
    the model: in a partial spec a rule counts only where all of them are written.
    """

    summary: str
    at: tuple[str | int, ...]
    needs: tuple[tuple[str | int, ...], ...] = ()
    code: str = "HR028"
    hint: str | None = None
    note: str | None = None
    at_key: bool = False


class Spec(BaseModel):
    """A strict mapping: no unknown field, no conversion, camelCase names, frozen."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        alias_generator=to_camel,
        validate_by_alias=True,
        validate_by_name=False,
        serialize_by_alias=True,
        hide_input_in_errors=True,
        protected_namespaces=(),
    )


class Ruled(Spec):
    """A mapping whose fields must also go together."""

    def rules(self) -> Iterator[Broken]:
        """The rules that are broken."""
        raise NotImplementedError

    @model_validator(mode="after")
    def _obey(self) -> Ruled:
        broken = [*self.rules()]
        if broken:
            raise PydanticCustomError("rules", "fields do not go together", {"broken": broken})
        return self


def one_of(model: Spec, what: str, names: tuple[str, ...]) -> Iterator[Broken]:
    """Exactly one of the fields `names` is given."""
    held = model.__dict__
    if sum(held[name] is not None for name in names) == 1:
        return
    written = {name: type(model).model_fields[name].alias or name for name in names}
    given = [written[name] for name in names if held[name] is not None]
    if not given:
        yield Broken(f"{what} needs one of {', '.join(written.values())}", (), ((names[0],),))
    else:
        yield Broken(
            f"{what} wants one of {', '.join(written.values())}, got {' and '.join(given)}",
            (given[-1],),
            tuple((name,) for name in given),
            at_key=True,
        )


def exactly_one(*names: str) -> ConfigDict:
    """What JSON Schema says of `one_of`; `names` as they are written."""
    return ConfigDict(json_schema_extra={"oneOf": [{"required": [name]} for name in names]})


def fault(
    code: str, summary: str, *, hint: str | None = None, note: str | None = None
) -> PydanticCustomError:
    """An error of a single value; ``{field}`` in the summary becomes its name."""
    return PydanticCustomError(
        "fault", "not valid", {"code": code, "summary": summary, "hint": hint, "note": note}
    )


class Form:
    """A value that is checked, and brought into its body form, by one function of Python.

    One function instead of a union: a wrong value then yields one problem and not one for each
    member of the union. `schema` is what JSON Schema says of it. Where all values are of
    `types`, which can be hashed, answers are kept: a tree has few different durations.
    """

    __slots__ = ("check", "schema", "types", "wanted")

    def __init__(
        self,
        check: Callable[[Any], Any],
        schema: dict[str, Any],
        *,
        wanted: str = "",
        types: tuple[type, ...] = (),
    ) -> None:
        self.check = check
        self.schema = schema
        self.wanted = wanted
        self.types = types

    def __get_pydantic_core_schema__(self, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        if not self.types:
            return core_schema.no_info_plain_validator_function(self.check)
        kept = lru_cache(maxsize=4096, typed=True)(self.check)  # typed, as True == 1
        return core_schema.no_info_after_validator_function(
            kept, core_schema.is_instance_schema(self.types, cls_repr=self.wanted)
        )

    def __get_pydantic_json_schema__(
        self, _: CoreSchema, __: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return dict(self.schema)


class Lazy:
    """A model of another module, imported when the first value of it is checked.

    A Component has nine provider blocks and uses one.
    """

    __slots__ = ("module", "name")

    def __init__(self, module: str, name: str) -> None:
        self.module = module
        self.name = name

    @property
    def model(self) -> type[Spec]:
        """The model itself."""
        return cast("type[Spec]", getattr(import_module(self.module), self.name))

    def _check(self, value: Any) -> Spec:
        return self.model.__pydantic_validator__.validate_python(value)  # type: ignore[no-any-return]

    def __get_pydantic_core_schema__(self, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._check)

    def __get_pydantic_json_schema__(
        self, _: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return handler(self.model.__pydantic_core_schema__)


_NAMES: Final = {
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    str: "a string",
    list: "a list",
    dict: "a mapping",
    type(None): "nothing",
}


def got(value: object) -> str:
    """What sort of value this is, in words."""
    return _NAMES.get(type(value), type(value).__name__)


def wrong_type(wanted: str, value: object) -> PydanticCustomError:
    """HR022, for a `Form`."""
    return fault("HR022", f"wrong type for {{field}}: wanted {wanted}, got {got(value)}")


_SCALARS: Final = (str, int, float)


def _duration(value: Any) -> str:
    if isinstance(value, bool):
        raise wrong_type("a duration", value)
    try:
        return units.duration(value)
    except units.TooLong:
        raise fault("HR024", "{field} is longer than a hundred years") from None
    except ValueError:
        raise fault(
            "HR024",
            f"bad value '{value}' for {{field}}",
            note="a duration is written as 30s, 5m, 1h30m or 2d",
        ) from None


def _lasting(value: Any) -> str:
    found = _duration(value)
    if found == "0s":
        raise fault("HR024", f"bad value '{value}' for {{field}}", note="it must last some time")
    return found


def _cores(value: Any) -> float:
    if isinstance(value, bool):
        raise wrong_type("a number of processors", value)
    try:
        return units.cores(value)
    except ValueError:
        raise fault(
            "HR024",
            f"bad value '{value}' for {{field}}",
            note="processors are written as 2, 0.5 or 500m",
        ) from None


def _command(value: Any) -> str:
    if type(value) is str and value and not value.isspace():
        return value
    if isinstance(value, list) and value and all(isinstance(part, str) for part in value):
        return join(value)
    if isinstance(value, str) or value == []:
        raise fault("HR024", "{field} is empty")
    raise wrong_type("a string or a list of strings", value)


def _lasts(parse: Callable[[Any], str], number: Any) -> Form:
    text: Any = {
        "type": "string",
        "pattern": units.DURATION,
        "patternErrorMessage": "a duration is written as 30s, 5m, 1h30m or 2d",
    }
    schema: dict[str, Any] = {"anyOf": [text, number], "examples": ["30s", "5m", "1h30m"]}
    return Form(parse, schema, wanted="a duration", types=_SCALARS)


Duration = Annotated[str, _lasts(_duration, {"type": "number", "minimum": 0})]
Lasting = Annotated[str, _lasts(_lasting, {"type": "number", "exclusiveMinimum": 0})]
Cores = Annotated[
    float,
    Form(
        _cores,
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0},
                {
                    "type": "string",
                    "pattern": "^[0-9]{1,9}m$",
                    "patternErrorMessage": "processors are written as 2, 0.5 or 500m",
                },
            ],
            "examples": [0.5, "500m"],
        },
        wanted="a number of processors",
        types=_SCALARS,
    ),
]
Command = Annotated[
    str,
    Form(
        _command,
        {
            "anyOf": [
                {"type": "string", "pattern": r"\S"},
                {"type": "array", "items": {"type": "string"}, "minItems": 1},
            ],
            "examples": ["python -m shop.api --port 8000"],
        },
    ),
]


def says(pattern: str, words: str, **more: Any) -> Any:
    """A pattern, and what it wants in words for editors and diagnostics."""
    return Field(pattern=pattern, json_schema_extra={"patternErrorMessage": words}, **more)


def choices(*words: str) -> Any:
    """What each enumerated value means, in the order of the values; editors show it."""
    return Field(json_schema_extra={"enumDescriptions": list(words)})


NAME_WORDS: Final = "lower-case letters, digits and dashes, at most 63"
Name = Annotated[str, says(f"^{address.NAME}$", NAME_WORDS)]
Size = Annotated[
    str,
    says(units.SIZE, "an amount is written as 512Mi, 4Gi or 1.5Gi", examples=["512Mi", "4Gi"]),
]
_PORT = (  # 1 to 65535
    r"([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
)


def _with_a_host(address: str) -> str:
    host = address.rpartition(":")[0]
    if host.startswith("["):
        try:
            IPv6Address(host[1:-1])
        except ValueError:
            raise fault("HR024", f"'{host}' in {{field}} is no IPv6 address") from None
    return address


HostPort = Annotated[
    str,
    says(
        rf"^([A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?|\[[0-9a-fA-F:.]+\]):{_PORT}$",
        "an address is written as host:port, such as 10.0.0.5:7000",
        examples=["10.0.0.5:7000"],
    ),
    AfterValidator(_with_a_host),
]
VariableName = Annotated[
    str, says(r"^[A-Za-z_][A-Za-z0-9_]*$", "letters, digits and _, no digit first")
]
Filled = Annotated[str, says(r"\S", "some text")]
Number = Annotated[float, Field(allow_inf_nan=False), AfterValidator(units.tidy)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False), AfterValidator(units.tidy)]
Percent = Annotated[float, Field(ge=0, le=100), AfterValidator(units.tidy)]
Weight = Annotated[float, Field(ge=0, le=1_000_000), AfterValidator(units.tidy)]
PortNumber = Annotated[int, Field(ge=1, le=65535)]
Count = Annotated[int, Field(ge=0)]
AtLeastOne = Annotated[int, Field(ge=1)]
# as far as a proxy counts
UpTo32Bits = Annotated[int, Field(ge=0, le=2**32 - 1)]
Times = Annotated[int, Field(ge=1, le=2**32 - 1)]

KINDS: Final[dict[str, str]] = {
    "Registry": "a level of the hierarchy; what lies below inherits from it",
    "Service": "processes that run and are watched",
    "Engine": "a pool of workers that takes workloads from a queue",
    "Component": "infrastructure that services use, and what is managed in it",
    "FeatureFlag": "a value that depends on who asks",
    "Node": "a machine or process of the distributed grid",
    "Config": "named values with types and rules",
    "Route": "how requests find their way through the mesh",
    "Plugin": "a Python distribution that adds drivers, kinds or policies",
}
KindName = Annotated[
    Literal[
        "Registry",
        "Service",
        "Engine",
        "Component",
        "FeatureFlag",
        "Node",
        "Config",
        "Route",
        "Plugin",
    ],
    choices(*KINDS.values()),
]
