"""The command line: `python -m neuralscope COMMAND`.

    train        train a network; an open dashboard shows it live
    evaluate     measure a weights file on a data set
    predict      tell which digit is on a picture
    view         show how a network reads test digits, in the terminal
    runs         list, show, compare, tag, stop, import or delete what was trained
    export       write a run in another form: weights, ONNX, CSV, report...
    dashboard    open the dashboard in the browser

Results go to standard output (with `--json` its last line is one JSON value), everything else to
standard error. Exit status: 0 done, 1 the work itself failed, 2 a bad argument or file, 130
interrupted. A mistake is answered with one line.

`program` runs a command; each command has a file of its own. Those that they share:

    status       how a command ends
    parser       what a command is, and the flags that several have
    settings     a flag for every field of the configuration
    outcome      what came of a training
    outputs      where a command writes its file, and what must not be lost there
    lookup       the store and its runs, as they are named in arguments
    datasets     loading a data set, and showing its fetch
    progress     how a training gets on
    status_line  the last line of the terminal
    printing     JSON, tables and facts
    words        numbers, times and text as people read them

Only what a command needs is imported, when it is run: `--help` must not wait for NumPy.
"""

from neuralscope.cli.program import main

__all__ = ["main"]
