"""Secrets: encrypted with age, bound to where they stand, opened only with a key.

`seal` and `unseal` are the whole of it; `Identities` finds the keys, `Opener` joins both for a run.
"""

from hrctl.secrets.seal import Binding, Unsealed, seal, unseal

__all__ = ["Binding", "Unsealed", "seal", "unseal"]
