"""From desired, applied and live to a plan, and from a plan to the real systems."""
