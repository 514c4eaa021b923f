"""The dashboard's entry: `streamlit run dashboard.py`, or `make run`."""

from neuralscope.ui import frame

frame.navigation()
