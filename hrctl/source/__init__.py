"""git and YAML: from files to documents with their places, and back into files."""
