"""`python -m neuralscope`: the command line."""

from __future__ import annotations

import sys

from neuralscope.cli import main

if __name__ == "__main__":
    sys.exit(main())
