"""``valueFrom``: a value that stands elsewhere, and the places where one may stand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from hrctl.model import address
from hrctl.model.kinds.base import Broken, Filled, Form, Ruled, Spec, VariableName, fault, got, says

_TARGET: Final = (
    rf"^({address.NAME}|{address.NAME}(/{address.NAME})*:[A-Z][A-Za-z]*/{address.NAME})$"
)
Target = Annotated[
    str, says(_TARGET, "the name of a resource, or its whole address in another registry")
]
_ARMOUR: Final = re.compile(
    r"\s*-----BEGIN AGE ENCRYPTED FILE-----\s.+\s-----END AGE ENCRYPTED FILE-----\s*", re.DOTALL
)


def _armoured(value: Any) -> str:
    if isinstance(value, str) and _ARMOUR.fullmatch(value):
        return value
    raise fault(
        "HR030",
        "{field} is not an armoured age ciphertext",
        hint="encrypt the value; it must never stand here in the clear",
    )


Armoured = Annotated[
    str, Form(_armoured, {"type": "string", "pattern": "^\\s*-----BEGIN AGE ENCRYPTED FILE-----"})
]


class Reference(Ruled):
    """Where a value comes from: exactly one source."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": ["component", "output"]},
                {"required": ["service", "output"]},
                {"required": ["config", "key"]},
                {"required": ["env"]},
                {"required": ["age"]},
            ]
        }
    )

    component: Target | None = Field(None, description="A Component; `output` says which value.")
    service: Target | None = Field(None, description="A Service; `output` says which value.")
    config: Target | None = Field(None, description="A Config; `key` names the entry.")
    env: VariableName | None = Field(
        None, description="A variable of the process that runs hrctl; its value is never shown."
    )
    age: Armoured | None = Field(None, description="An encrypted value, as an armoured age file.")
    output: Filled | None = Field(None, description="An output of the Component or Service.")
    key: Filled | None = Field(None, description="A key of the Config.")
    recipients: list[Filled] | None = Field(
        None, description="Whom the value is encrypted to, as fingerprints, beside `age`."
    )

    def rules(self) -> Iterator[Broken]:
        """One source, with what belongs to it and nothing else."""
        given = [name for name in _SOURCES if getattr(self, name) is not None]
        if len(given) != 1:
            names = " and ".join(given) or "none"
            yield Broken(
                f"valueFrom wants exactly one source, got {names}",
                (),
                note=f"one of {', '.join(_SOURCES)}",
            )
            return
        source = given[0]
        for field in ("output", "key", "recipients"):
            wanted = _SOURCES[source] == field
            present = getattr(self, field) is not None
            if present and not wanted and not (field == "recipients" and source == "age"):
                yield Broken(
                    f"'{field}' does not go with '{source}' in valueFrom", (field,), at_key=True
                )
            elif wanted and not present:
                yield Broken(f"'{source}' in valueFrom needs '{field}'", (source,), at_key=True)
        target = getattr(self, source)
        wanted_kind = source.capitalize()
        if ":" in target and source in _KINDS and f":{wanted_kind}/" not in target:
            yield Broken(f"'{target}' is not the address of a {wanted_kind}", (source,))


_SOURCES: Final = {
    "component": "output",
    "service": "output",
    "config": "key",
    "env": "",
    "age": "",
}
_KINDS: Final = frozenset({"component", "service", "config"})


class ValueFrom(Spec):
    """A reference, where a value is wanted."""

    value_from: Reference = Field(description="Where the value comes from.")


def _scalar_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    raise ValueError


class _TextForm:
    """A string, a number or a boolean (both as text in the body), or a reference.

    The members of the union bear a mark, by which `validate` reports one problem for the whole.
    """

    def __get_pydantic_core_schema__(self, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.union_schema(
            [
                (core_schema.str_schema(strict=True), "|text"),
                (handler.generate_schema(ValueFrom), "|reference"),
                (core_schema.no_info_plain_validator_function(_scalar_text), "|scalar"),
            ],
            mode="left_to_right",
        )

    def __get_pydantic_json_schema__(
        self, schema: Any, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        reference = handler(schema["choices"][1][0])
        return {"anyOf": [{"type": ["string", "number", "boolean"]}, reference]}


class _SecretForm:
    """A reference and nothing else: plaintext is refused, and never shown."""

    def __get_pydantic_core_schema__(self, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(
            _refuse_plaintext, handler.generate_schema(ValueFrom)
        )

    def __get_pydantic_json_schema__(
        self, schema: Any, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"allOf": [handler(schema["schema"])], "writeOnly": True}


def _refuse_plaintext(value: Any) -> Any:
    if isinstance(value, dict):
        return value
    raise fault(
        "HR030",
        f"plaintext in {{field}}: it holds {got(value)} where only valueFrom may stand",
        hint="use valueFrom with age, env, config or component",
    )


Text = Annotated[str | ValueFrom, _TextForm()]
Secret = Annotated[ValueFrom, _SecretForm()]
