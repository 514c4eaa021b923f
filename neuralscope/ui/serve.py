"""Streamlit's command line, started when all that the pages are made of is loaded.

    python -m neuralscope.ui.serve run dashboard.py [flags]

is `streamlit run dashboard.py [flags]`, except that the libraries of the pages, close to a second
of imports, are loaded before the server answers and not while the first visitor waits. (In a thread
beside the start it would be quicker still, but Streamlit's own start then fails now and then.)
"""

from __future__ import annotations

import importlib
import pkgutil
import signal
import sys

from neuralscope import ui


def load_pieces() -> None:
    """Import what pages are made of."""
    for module in pkgutil.iter_modules(ui.__path__, f"{ui.__name__}."):
        importlib.import_module(module.name)


def main() -> None:
    """Load, then run Streamlit's command line."""
    from streamlit.web.cli import main as streamlit

    load_pieces()
    streamlit(sys.argv[1:], prog_name="streamlit")


if __name__ == "__main__":
    # The server hands Ctrl-C on when it has ended; Streamlit would answer it with "Aborted!".
    signal.signal(signal.SIGINT, lambda *_: sys.exit())
    main()
