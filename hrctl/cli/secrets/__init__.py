"""The commands of `hrctl secrets`."""
