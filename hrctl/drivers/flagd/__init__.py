"""Feature flags as flagd definitions: JSON files that any OpenFeature SDK reads.

definition   one flag as flagd has it, its marks, and what differs from what was applied
expressions  rules and shares as JSONLogic
flagfile     the file, shared with others, replaced as a whole
driver       the protocol
"""

from __future__ import annotations

from hrctl.drivers.flagd.driver import FlagdDriver

__all__ = ["FlagdDriver"]
