"""Taking a run out as a file, and bringing one in."""

from __future__ import annotations

import functools
import tempfile
from importlib.util import find_spec
from pathlib import Path

import streamlit as st

from neuralscope import exports
from neuralscope.errors import NeuralScopeError
from neuralscope.exports.onnx_model import MISSING
from neuralscope.runs import Run, list_snapshots, when
from neuralscope.ui import failures, resources
from neuralscope.ui.words import plain

MOST_MEGABYTES = 20
"""Of an upload, as on every page. Runs of wide networks with Adam are larger: they come in through
the terminal."""


def show_export(run: Run) -> None:
    """Draw a menu with a button for each format. A file is made only when it is asked for."""
    st.fragment(_export)(run)  # so that a press draws the menu and not the page


def _export(run: Run) -> None:
    store = resources.store()
    with st.popover("Export", icon=":material/download:", key=f"export_{run.run_id}"):
        try:
            snapshots = list_snapshots(store, run.run_id)
        except NeuralScopeError as error:
            st.error(plain(str(error)))
            return
        if snapshots:
            epoch = when(run, snapshots[-1])
            st.caption(f"The network is saved as it is at its latest checkpoint, {epoch}.")
        else:
            st.caption("It has no checkpoint yet, so there is no network to save.")
        lacks_onnx = find_spec("onnx") is None
        for name, form in exports.FORMATS.items():
            failures.download_button(
                form.label,
                functools.partial(exports.content, store, run.run_id, name),
                doing=f"Making the file {form.file_name(run.run_id)}",
                file_name=form.file_name(run.run_id),
                mime=form.mime,
                help=MISSING if name == "onnx" and lacks_onnx else form.description,
                disabled=(form.needs_network and not snapshots) or (name == "onnx" and lacks_onnx),
                width="stretch",
                key=f"export_{name}_{run.run_id}",
            )


def show_import() -> None:
    """Draw an upload for a run file or a weights file, and say what became of it."""
    upload = st.file_uploader(
        "Import a run",
        type=["zip", "npz"],
        help="A whole run (.zip) that was exported here or elsewhere, or bare weights (.npz), "
        f"which become a finished run. Files of more than {MOST_MEGABYTES} MB come in through the "
        "terminal: `python -m neuralscope runs import FILE`.",
        max_upload_size=MOST_MEGABYTES,
        key="import_run",
    )
    if upload is None:
        st.session_state.pop("imported_run", None)
        return
    done = st.session_state.get("imported_run")
    if done is None or done[0] != upload.file_id:
        # Kept, because the upload stays on the page and is there at every redraw.
        done = (upload.file_id, *_bring_in(upload.name, upload.getbuffer()))
        st.session_state["imported_run"] = done
    _, is_in, sentence = done
    if is_in:
        st.success(plain(sentence))
    else:
        st.error(plain(sentence))


def _bring_in(name: str, content: memoryview) -> tuple[bool, str]:
    """Import an uploaded file; return whether it worked, and a sentence."""
    try:
        store = resources.store()
        with tempfile.TemporaryDirectory(prefix="neuralscope-") as folder:
            path = Path(folder) / "upload"
            path.write_bytes(content)
            run_id = exports.import_file(store, path, name=name)
        run = store.run(run_id)
    except Exception as error:  # the upload stays on the page, which must go on
        return False, failures.explain(error, f"Importing {name}")
    return True, f"Imported {run.name} as run {run_id}. It is now on every page."
