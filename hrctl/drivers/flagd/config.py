"""The block of a flagd instance in hrctl.yaml. Imports pydantic: loaded only to validate."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hrctl.model.kinds.base import Filled, Spec, choices, says

JsonFile = Annotated[str, says(r".\.json$", "the name of a JSON file, such as flags.json")]


class FlagdConfig(Spec):
    """Where flags are written, from the project's folder on; one of the two."""

    file: JsonFile | None = Field(None, description="One file for every flag of this instance.")
    folder: Filled | None = Field(None, description="A folder with one file for each registry.")
    evaluators: Annotated[
        Literal["all", "cbor", "text"],
        choices(
            "those that hash CBOR (Python) and those that hash bare text (Node) agree",
            "only those that hash CBOR: files are a third smaller",
            "only those that hash bare text: flags may pin fractional-v2",
        ),
    ] = Field("all", description="Whose answers to shares are hrctl's.")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.file is None) == (self.folder is None):
            raise ValueError("one of file and folder is wanted")
        return self
