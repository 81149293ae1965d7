"""What levels of registries are called in an Unleash that was just installed."""

from __future__ import annotations

from typing import Final

ENVIRONMENTS: Final = {
    "dev": "development",
    "development": "development",
    "prod": "production",
    "production": "production",
}
