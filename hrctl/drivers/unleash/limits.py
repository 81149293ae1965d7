"""How much of anything an Unleash allows; its own settings, told before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from hrctl.diagnostics import Diagnostic, FieldError
from hrctl.drivers.unleash.strategies import Strategy
from hrctl.model.plan import Change


def require(
    wanted: list[Strategy], allowed: Callable[[], Mapping[str, int]], change: Change
) -> None:
    """That there are no more strategies, constraints and values than it allows.

    Raises:
        FieldError: HR252.
    """
    for what, count, name in _counts(wanted):
        most = allowed().get(name)
        if most is not None and count > most:
            said = f"{change.address} uses {count} {what}, where this Unleash allows {most}"
            hint = "declare it with less, or raise the limit of that Unleash"
            told = Diagnostic("HR252", said, address=change.address, hint=hint)
            raise FieldError(told, "/spec/targeting")


def _counts(wanted: list[Strategy]) -> Iterator[tuple[str, int, str]]:
    yield "strategies", len(wanted), "featureEnvironmentStrategies"
    for strategy in wanted:
        constraints = strategy["constraints"]
        yield "conditions in a rule", len(constraints), "constraints"
        for one in constraints:
            yield "values in a condition", len(one.get("values") or ()), "constraintValues"
