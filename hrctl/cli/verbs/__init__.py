"""The verbs of the nine kinds: `hrctl service start api` and the like."""
