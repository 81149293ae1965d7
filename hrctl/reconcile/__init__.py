"""From what is desired, applied and live to a plan, and from the plan to a changed world.

`planner.plan` and `applier.apply` are the two functions to read first.
"""
