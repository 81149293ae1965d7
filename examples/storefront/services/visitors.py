"""Visitors who come through the mesh, and which greeting they got how often.

python3 services/visitors.py 200              two hundred visitors
python3 services/visitors.py 20 kiosk-7       twenty times the same kiosk
MESH=127.0.0.1:18090 names another place to come in at.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
from collections import Counter


def main(arguments: list[str]) -> int:
    """Print how often each greeting, or status, was the answer."""
    times = int(arguments[0]) if arguments else 100
    headers = {"Host": "shop.bramble.example"}
    if arguments[1:]:
        headers = {"Host": "kiosk.bramble.example", "X-Kiosk": arguments[1]}
    place = os.environ.get("MESH", "127.0.0.1:18090")
    found: Counter[str] = Counter()
    for _ in range(times):
        connection = http.client.HTTPConnection(place, timeout=10)
        connection.request("GET", "/", headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        found[
            json.loads(body)["greeting"] if answer.status == http.client.OK else str(answer.status)
        ] += 1
    for greeting, count in found.most_common():
        sys.stdout.write(f"{count:>6}  {greeting}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
