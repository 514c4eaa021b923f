"""Streamlit's command line, with the pages' libraries loading while the browser starts.

    python -m neuralscope.ui.serve run dashboard.py [flags]

is `streamlit run dashboard.py [flags]`, except that nobody waits a second for imports when the
first page is asked for.
"""

from __future__ import annotations

import importlib
import sys
import threading

PIECES = ("run_view", "config_form", "scrubber", "explanation", "layer_outputs", "canvas")


def load_pieces() -> None:
    """Import what pages are made of."""
    for name in PIECES:
        importlib.import_module(f"neuralscope.ui.{name}")


def main() -> None:
    """Run Streamlit's command line."""
    from streamlit.web.cli import main as streamlit

    threading.Thread(target=load_pieces, name="load-pieces", daemon=True).start()
    streamlit(sys.argv[1:], prog_name="streamlit")


if __name__ == "__main__":
    main()
