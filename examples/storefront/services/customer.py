"""A customer of the shop, to try it with.

python3 services/customer.py                  looks around
python3 services/customer.py teapot 2         orders two teapots
python3 services/customer.py teapot 2 ann     orders them as ann
STOREFRONT_URL=... python3 services/customer.py    another shop than the one at port 18080
"""

from __future__ import annotations

import json
import os
import sys

from web import ProblemError, call


def main(arguments: list[str]) -> int:
    """Print what the shop answers; 1 where it refuses."""
    url = os.environ.get("STOREFRONT_URL", "http://127.0.0.1:18080")
    try:
        if not arguments:
            answer = call(f"{url}/")
        else:
            quantity = int(arguments[1]) if arguments[1:] else 1
            customer = arguments[2] if arguments[2:] else "guest"
            order = {"sku": arguments[0], "quantity": quantity, "customer": customer}
            answer = call(f"{url}/orders", order)
    except ProblemError as problem:
        sys.stderr.write(f"{problem.status}: {problem}\n")
        return 1
    sys.stdout.write(json.dumps(answer, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
