"""The hashes that spread users, each pinned by a name that never changes its meaning.

fractional-v3
    MurmurHash3 x86 32 bit, seed 0, unsigned, of the key in canonical CBOR (RFC 8949): for text, a
    head with the length in bytes, and UTF-8. The bucket is ``(hash * total_weight) >> 32``. The
    name is the tag of its examples in flagd's test suite; it was ``flagd-v2`` here.
    https://flagd.dev/reference/custom-operations/fractional-operation/
fractional-v2
    The same, of the bare text in UTF-8.
unleash
    ``murmur3_x86_32("group:id") % 100 + 1 <= percentage``; for variants modulo the total weight,
    with another seed, so that who is in does not decide the variant.
    https://docs.getunleash.io/concepts/stickiness
"""

from __future__ import annotations

from typing import Final

import mmh3

from hrctl.model.kinds import DEFAULT_HASH, TEXT_HASH

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


def fractional(key: str, pinned: str = DEFAULT_HASH) -> int:
    """Return the hash of a text by fractional-v3 or fractional-v2, 0 to 2**32 - 1.

    Raises:
        UnicodeEncodeError: for half of a surrogate pair.
    """
    raw = key.encode()
    head = b"" if pinned == TEXT_HASH else text_head(len(raw))
    return mmh3.mmh3_32_uintdigest(head + raw)


def unleash(group: str, identifier: str, modulus: int = 100, seed: int = 0) -> int:
    """The number of somebody by unleash, 1 to `modulus`."""
    return mmh3.mmh3_32_uintdigest(f"{group}:{identifier}".encode(), seed) % modulus + 1
