"""How a command ends: its exit status, and the errors that decide it."""

from __future__ import annotations

import errno

from neuralscope.errors import DataUnavailable, NeuralScopeError, StoreBusy, StoreFull

DONE, FAILED, MISTAKEN, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 130, 141

FAULTS_OF_THE_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO}
"""What the operating system says of a disk that is full, read-only or broken."""

_FAULTS_IN_SQLITE = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY")


class WorkFailed(NeuralScopeError):
    """Arguments and files were in order, but the work could not be done."""


class Mistake(NeuralScopeError):
    """An argument asks for what cannot be done."""


def status_of(error: BaseException) -> int:
    """Return the exit status of a command that ends with this error.

    The work has failed where nothing about the command was wrong: there is no network, no memory,
    no room on the disk. All other errors are those of an argument or a file.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError | DataUnavailable | WorkFailed | StoreBusy | StoreFull):
            return FAILED
        if isinstance(cause, OSError) and cause.errno in FAULTS_OF_THE_DISK:
            return FAILED
        if getattr(cause, "sqlite_errorname", "").startswith(_FAULTS_IN_SQLITE):
            return FAILED
        cause = cause.__cause__
    return MISTAKEN if isinstance(error, NeuralScopeError) else FAILED
