"""What flagd's own evaluator answers. Imports its library: loaded only to ask it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from hrctl.logic.flags.evaluation import ErrorCode, Evaluation, Reason
from hrctl.model.values import Json

_FALLBACKS: Final[dict[type, tuple[str, Any]]] = {
    bool: ("resolve_boolean_value", False),
    str: ("resolve_string_value", ""),
    int: ("resolve_float_value", 0),
    float: ("resolve_float_value", 0),
}


def answers(
    document: Mapping[str, Any], name: str, contexts: Sequence[Mapping[str, Json]]
) -> Iterator[Evaluation]:
    """An answer for each context, of the flags as they stand in a file."""
    from hrctl.drivers.discovery import missing_module

    try:
        from openfeature.contrib.tools.flagd.core import FlagdCore
        from openfeature.evaluation_context import EvaluationContext
        from openfeature.exception import OpenFeatureError
    except ImportError as error:
        raise missing_module("flagd", error) from error
    found = document["flags"].get(name)
    if found is None:
        for _ in contexts:
            yield Evaluation(None, None, Reason.ERROR, ErrorCode.FLAG_NOT_FOUND)
        return
    core = FlagdCore()
    kept = {key: document[key] for key in ("$evaluators", "metadata") if key in document}
    core.set_flags({**kept, "flags": {name: dict(found)}})
    value = next(iter(found.get("variants", {}).values()), None)
    method, fallback = _FALLBACKS.get(type(value), ("resolve_object_value", {}))
    ask: Any = getattr(core, method)
    quiet = logging.getLogger("openfeature.contrib")
    level = quiet.level
    quiet.setLevel(logging.CRITICAL)  # it logs what a context lacks, with a traceback
    try:
        for context in contexts:
            attributes: Any = {key: one for key, one in context.items() if key != "targetingKey"}
            given = EvaluationContext(context.get("targetingKey"), attributes)
            try:
                one = ask(name, fallback, given)
            except OpenFeatureError as error:
                code = getattr(error.error_code, "value", "PARSE_ERROR")
                known = ErrorCode(code) if code in ErrorCode.__members__ else ErrorCode.PARSE_ERROR
                yield Evaluation(None, None, Reason.ERROR, known)
            else:
                reason = Reason(str(one.reason.value))
                # of a flag that is off it gives the fallback, which is ours and no application's
                value = None if reason is Reason.DISABLED else one.value
                yield Evaluation(value, one.variant, reason)
    finally:
        quiet.setLevel(level)
