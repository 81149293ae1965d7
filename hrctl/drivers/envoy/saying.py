"""What Envoy says when it refuses something, made short enough to be read."""

from __future__ import annotations

import re
from typing import Final

_PREFIX: Final = re.compile(r"\A(\[[^\]]*\] ?)+")
_WHERE: Final = re.compile(r"\Aerror initializing configuration '[^']*': ?")
# a message that holds the whole configuration, and behind it the field, from the outside in
_CONSTRAINT: Final = re.compile(r"Proto constraint validation failed \((.*)\)")
_CAUSE: Final = re.compile(r"(\w+)ValidationError\.([\w\[\]]+): (?!embedded message)([^|]*)")
# a message that is followed by the whole configuration
_JSON: Final = re.compile(
    r"Unable to parse JSON as proto \(INVALID_ARGUMENT: .*?@ (\S+): .*?\(offset \d+\): (.*?)\): \{"
)
_PARTS: Final = 3  # of the path to a field


def reason(said: str) -> str:
    """Envoy's reason, in one line.

    Of what breaks a rule of its messages only the field and the rule are kept: Envoy prints the
    whole configuration before them or behind them, and spaces that differ from time to time.

    Args:
        said: the message, with or without the time and the place that a log has before it.
    """
    text = _WHERE.sub("", _PREFIX.sub("", " ".join(said.split())))
    constraint = _CONSTRAINT.search(text)
    causes = _CAUSE.findall(constraint[1]) if constraint else []
    json = _JSON.search(text)
    if causes:
        message, field, rule = causes[-1]
        text = f"{message}.{field}: {rule}"
    elif json:
        text = f"{'.'.join(json[1].split('.')[-_PARTS:])}: {json[2]}"
    return text
