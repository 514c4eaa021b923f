"""The dashboard's entry: `streamlit run dashboard.py`, or `make run`."""

from neuralscope import kernels

kernels.choose()  # before NumPy is loaded, as the next line does

from neuralscope.ui import frame  # noqa: E402

frame.navigation()
