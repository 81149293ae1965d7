"""The two hashes that spread users, each pinned by a name that never changes its meaning.

flagd-v2
    MurmurHash3 x86 32 bit, seed 0, unsigned, of the key in canonical CBOR (RFC 8949): for text, a
    head with the length in bytes, and UTF-8. The bucket is ``(hash * total_weight) >> 32``.
    https://flagd.dev/reference/custom-operations/fractional-operation/
unleash
    ``murmur3_x86_32("group:id") % 100 + 1 <= percentage``; for variants modulo the total weight,
    with another seed, so that who is in does not decide the variant.
    https://docs.getunleash.io/concepts/stickiness
"""

from __future__ import annotations

from typing import Final

import mmh3

SPAN: Final = 1 << 32  # how many values a hash has
UNLEASH_VARIANT_SEED: Final = 86028157
_BRIEF: Final = 24  # lengths that the head's first byte holds itself


def text_head(length: int) -> bytes:
    """What CBOR writes before a text of so many bytes."""
    if length < _BRIEF:
        return bytes([0x60 + length])
    for size, first in ((1, 0x78), (2, 0x79), (4, 0x7A)):
        if length < 1 << 8 * size:
            return bytes([first]) + length.to_bytes(size)
    return bytes([0x7B]) + length.to_bytes(8)


HEADS: Final = tuple(text_head(length) for length in range(256))


def flagd(key: str) -> int:
    """The hash of a text by flagd-v2, 0 to 2**32 - 1.

    Raises:
        UnicodeEncodeError: for half of a surrogate pair.
    """
    raw = key.encode()
    return mmh3.mmh3_32_uintdigest(text_head(len(raw)) + raw)


def unleash(group: str, identifier: str, modulus: int = 100, seed: int = 0) -> int:
    """The number of somebody by unleash, 1 to `modulus`."""
    return mmh3.mmh3_32_uintdigest(f"{group}:{identifier}".encode(), seed) % modulus + 1
