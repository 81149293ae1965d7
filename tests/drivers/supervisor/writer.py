"""Writes numbered lines for ever, some hundred a second."""

import itertools
import os
import time

if __name__ == "__main__":
    for number in itertools.count():
        os.write(1, f"{number} {'.' * 100}\n".encode())
        time.sleep(0.002)
