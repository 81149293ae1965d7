"""How much of anything an Unleash allows, where its operator allows little."""

from __future__ import annotations

import pytest

from hrctl.diagnostics import FieldError
from hrctl.drivers.unleash import limits
from hrctl.model.address import Address
from hrctl.model.plan import Action, Change, Reason

CHANGE = Change(Address("acme/prod:FeatureFlag/express"), Action.UPDATE, Reason.EDITED, "flags")
CONSTRAINT = {"contextName": "plan", "operator": "IN", "values": ["gold", "silver"]}
WANTED = [{"name": "flexibleRollout", "constraints": [CONSTRAINT]} for _ in range(2)]


@pytest.mark.parametrize(
    ("allowed", "said"),
    [
        ({"featureEnvironmentStrategies": 1}, "2 strategies, where this Unleash allows 1"),
        ({"constraints": 0}, "1 conditions in a rule, where this Unleash allows 0"),
        ({"constraintValues": 1}, "2 values in a condition, where this Unleash allows 1"),
    ],
)
def test_the_least_that_can_be_set_is_heeded(allowed: dict[str, int], said: str) -> None:
    with pytest.raises(FieldError, match=said):
        limits.require(WANTED, lambda: allowed, CHANGE)
    limits.require(WANTED, lambda: dict.fromkeys(allowed, 2), CHANGE)
