"""The dashboard's entry: `streamlit run dashboard.py`, or `make run`."""

import streamlit as st

from neuralscope.ui import document, failures, frame, server

if __name__ == "__main__":  # for each viewer
    frame.navigation()
else:  # for the server, once
    app = st.App(
        __file__,
        routes=document.routes(),
        lifespan=server.lifespan,
        on_script_error=failures.show_uncaught,
    )
