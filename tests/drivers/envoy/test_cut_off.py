"""An apply to Envoy that is cut off."""

from __future__ import annotations

from tests.drivers.envoy.cut_off import CutOff


class TestCutOff(CutOff):
    pass
