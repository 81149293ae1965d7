"""hrctl: declare a whole platform as YAML in git, plan it, apply it."""

__version__ = "0.1.0"
