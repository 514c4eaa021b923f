"""Exports: a run in other forms, and back.

    write(store, run_id, "onnx", "digits.onnx")     one of FORMATS, in one piece or not at all
    import_file(store, "digits.zip")                a run file or bare weights become a run

formats         the forms by name
trained         the network that a run has come to
tables          csv, json
onnx_model      onnx
script          python
report          html; its page is report.html
differences     what runs differ in, for sentences and tables
run_file        run, out and in
measurements    the curves in a run file
raw_rows        the rows of a run that cannot be read
fields          reading a stranger's JSON
snapshot_check  what the snapshots in a run file must be like
bare_weights    a finished run made of a weights file
arrival         import
"""

from neuralscope.exports.arrival import import_file
from neuralscope.exports.formats import FORMATS, Format, content, write
from neuralscope.exports.raw_rows import raw_rows

__all__ = ["FORMATS", "Format", "content", "import_file", "raw_rows", "write"]
