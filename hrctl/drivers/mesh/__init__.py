"""What drivers of Routes and Nodes share, whichever proxy they bring them to.

`driver` looks at what is live, of a store of bodies and a `place` with the proxy's files; `batch`
makes changes to both. `embedded` is the proxy as hrctl runs it itself.
"""
