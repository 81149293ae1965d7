"""Feature flags in Unleash, through its Admin API.

client      HTTP: one connection, timeouts, a few retries
strategies  rules, shares and tests as strategies of an environment
feature     the marks of hrctl, and a live feature as a body
listing     which flags are there, and where
playground  what somebody gets, by Unleash's own evaluator
metrics     how often applications asked
driver      the protocol
"""

from __future__ import annotations

from hrctl.drivers.unleash.driver import UnleashDriver

__all__ = ["UnleashDriver"]
