"""What the services ask of feature flags, through OpenFeature.

hrctl writes the flags into FLAGS_FILE, and the provider reads it again within half a second of a
change: nothing has to be restarted. Without a file, or without the libraries (pip install
openfeature-provider-flagd), each flag gives the default that the code passes.
"""

from __future__ import annotations

import logging
import os
from functools import cache
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)


@cache
def _client() -> Any:
    """The client of OpenFeature, None where there is none."""
    path = os.environ.get("FLAGS_FILE")
    if not path:
        return None
    try:
        from openfeature import api
        from openfeature.contrib.provider.flagd import FlagdProvider
        from openfeature.contrib.provider.flagd.config import ResolverType
    except ImportError as error:
        log.warning("flags give their defaults: %s", error)
        return None
    provider = FlagdProvider(
        resolver_type=ResolverType.FILE, offline_flag_source_path=str(Path(path).absolute())
    )
    api.set_provider(provider)
    return api.get_client()


def enabled(flag: str, user: str, *, default: bool = False) -> bool:
    """Whether the flag is on for a user."""
    client = _client()
    if client is None:
        return default
    from openfeature.evaluation_context import EvaluationContext

    return bool(client.get_boolean_value(flag, default, EvaluationContext(user)))
