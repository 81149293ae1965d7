"""A sample spec or two for each kind, which editors offer to insert; tests hold them valid."""

from __future__ import annotations

from typing import Final

from hrctl.model.values import Json

SAMPLES: Final[dict[str, dict[str, dict[str, Json]]]] = {
    "Registry": {
        "a level of the hierarchy": {
            "level": "ENVIRONMENT",
            "owner": "team-shop",
            "drivers": {"Service": "procs"},
            "defaults": {"Service": {"replicas": 2}},
        }
    },
    "Service": {
        "a process that answers requests": {
            "type": "API",
            "command": "python -m shop.api --port 8000",
            "ports": [{"name": "http", "port": 8000}],
            "healthCheck": {"http": "/healthz"},
            "env": {"LOG_LEVEL": "info"},
        },
    },
    "Engine": {
        "workers that follow their queue": {
            "type": "BATCH",
            "capacity": {"min": 1, "max": 8},
            "scaling": {"policy": "AUTO_QUEUE", "target": 10},
        }
    },
    "Component": {
        "a database with an owner": {
            "type": "DATABASE",
            "provider": "postgresql",
            "connection": {
                "endpoint": "db.example.org:5432",
                "username": "admin",
                "password": {"valueFrom": {"env": "DB_PASSWORD"}},
            },
        }
    },
    "FeatureFlag": {
        "a gradual rollout": {
            "type": "BOOLEAN",
            "status": "ROLLOUT",
            "rollout": {"strategy": "GRADUAL", "percentage": 10},
            "owner": "team-shop",
        }
    },
    "Node": {
        "a worker": {
            "type": "WORKER",
            "address": "10.0.0.5:7000",
            "region": "eu-west",
        }
    },
    "Config": {
        "two entries": {
            "scope": "ENVIRONMENT",
            "entries": {
                "LOG_LEVEL": {"type": "STRING", "value": "info", "allowed": ["debug", "info"]},
                "WORKERS": {"type": "INTEGER", "value": 4, "min": 1},
            },
        }
    },
    "Route": {
        "requests to a service": {
            "type": "HTTP",
            "hosts": ["shop.example.org"],
            "match": [{"path": {"prefix": "/"}}],
            "destinations": [{"service": "api"}],
        }
    },
    "Plugin": {
        "a distribution from the package index": {
            "source": {"package": "bramble-jsonfile", "version": "1.0.0"}
        }
    },
}
