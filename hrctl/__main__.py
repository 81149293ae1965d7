"""`python -m hrctl` is `hrctl`."""

import sys

from hrctl.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
