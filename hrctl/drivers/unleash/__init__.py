"""Feature flags in Unleash, through its Admin API.

client      HTTP: connections that are kept, timeouts, retries
token       where its token is
places      what registries are called there
server      what is there: all features, or one
strategies  rules, shares and tests as strategies of an environment
reading     strategies as rules, shares and tests
segments    segments that rules name, as people made them
tags        labels as tags
parents     features that others depend on
marks       the marks of hrctl on a feature
feature     a feature in one environment, and as a body
owners      whose it is
writing     one feature made what is wanted
listing     which flags are there, and where
playground  what somebody gets, by Unleash's own evaluator
metrics     how often applications asked
driver      the protocol
"""

from __future__ import annotations

from hrctl.drivers.unleash.driver import UnleashDriver

__all__ = ["UnleashDriver"]
