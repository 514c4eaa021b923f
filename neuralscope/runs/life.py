"""Whether somebody trains a run: a lock on a file in the run's folder proves it.

The system lets go of the lock in the moment in which the last process that holds it ends, however
it ends. So there are no signs of life to give and no clocks to compare: a trainer that is killed is
dead at once, and one that is suspended is alive.

Whoever queues a run *promises* it: this process holds the lock until a trainer *takes* it. That may
be a trainer in this process, or one in a process that is started with the lock's descriptor: both
hold it until the starter lets go, so at no time does nobody. Windows cannot hand a lock over: there
a trainer in another process takes it anew, a moment later.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path

from neuralscope.errors import StoreError

LOCK_NAME = "trainer.lock"

PATIENCE = 0.5
"""Seconds to try: whoever looks whether a run is held, holds it for an instant."""

CAN_HAND_OVER = sys.platform != "win32"
"""Whether a process that is started can be given a lock."""


class Held(StoreError):
    """Another trainer holds the run, in this process or in another one."""


class Hold:
    """The lock of a run, held.

    Attributes:
        descriptor: Of the file that is locked.
    """

    def __init__(self, descriptor: int) -> None:
        """Answer for a descriptor that has the lock."""
        self.descriptor = descriptor
        _DESCRIPTORS.add(descriptor)

    def release(self) -> None:
        """Let go of the run, whoever has been given the lock besides."""
        with contextlib.suppress(OSError):
            _unlock(self.descriptor)
        self.leave()

    def leave(self) -> None:
        """Leave the run to the process that was given the lock."""
        _DESCRIPTORS.discard(self.descriptor)
        os.close(self.descriptor)


_DESCRIPTORS: set[int] = set()
"""Those of all locks that this process holds."""

_PROMISED: dict[Path, Hold] = {}
"""The locks that no trainer has taken yet, by the folders of their runs."""


def is_held(folder: Path) -> bool:
    """Return whether any process holds the run with this folder."""
    try:
        # What stands in the file's place is not followed (a link) or waited for (a pipe).
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        descriptor = os.open(folder / LOCK_NAME, flags)
    except OSError:
        return False
    try:
        return not _lock(descriptor, shared=True)
    except OSError:  # no locks here: nobody can hold any
        return False
    finally:
        os.close(descriptor)


def hold(folder: Path) -> Hold:
    """Take the lock of a run; make its folder if need be.

    Raises:
        Held: Somebody has it.
        StoreError: The file cannot be made, or the disk knows no locks.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        descriptor = os.open(folder / LOCK_NAME, flags, 0o600)
    except OSError as error:
        raise StoreError(
            f"The file {folder / LOCK_NAME}, by which a training process shows that it is alive, "
            f"cannot be made: {error.strerror or error}."
        ) from error
    try:
        _insist(descriptor, folder)
    except BaseException:
        os.close(descriptor)
        raise
    return Hold(descriptor)


def _insist(descriptor: int, folder: Path) -> None:
    """Lock a descriptor; raise Held or StoreError."""
    deadline = time.monotonic() + PATIENCE
    try:
        while not _lock(descriptor):
            if time.monotonic() > deadline:
                raise Held(f"Run {folder.name} is trained by another process.")
            time.sleep(0.002)
    except OSError as error:
        raise StoreError(
            f"The disk of the run store {folder.parent} knows no file locks, by which a training "
            f"process shows that it is alive ({error.strerror or error}). Choose a store on "
            "another disk, with --store or NEURALSCOPE_STORE."
        ) from error


# Until a trainer takes it ------------------------------------------------------------------------


def promise(folder: Path) -> None:
    """Hold a run for the trainer that this process is going to be or to start.

    Raises:
        Held: Somebody has it.
        StoreError: It cannot be held.
    """
    if folder.resolve() not in _PROMISED:
        _PROMISED[folder.resolve()] = hold(folder)


def take(folder: Path) -> Hold:
    """Return the lock that this process has promised, or else take it.

    Raises:
        Held: Somebody has it.
        StoreError: It cannot be held.
    """
    return _PROMISED.pop(folder.resolve(), None) or hold(folder)


def withdraw(folder: Path) -> None:
    """Let go of a run that was promised and that no trainer has taken."""
    if held := _PROMISED.pop(folder.resolve(), None):
        held.release()


def inherit(folder: Path, descriptor: int) -> None:
    """Promise a run whose lock the process was started with.

    Raises:
        StoreError: The descriptor has not the lock.
    """
    try:
        is_ours = os.path.samestat(os.fstat(descriptor), os.stat(folder / LOCK_NAME))
    except OSError:
        is_ours = False
    if not is_ours:
        raise StoreError(f"Descriptor {descriptor} is not the lock of run {folder.name}.")
    os.set_inheritable(descriptor, False)  # by no process that this one starts in turn
    _insist(descriptor, folder)  # has it already, but where the disk binds locks to processes
    _PROMISED[folder.resolve()] = Hold(descriptor)


# What the systems have ---------------------------------------------------------------------------

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int, *, shared: bool = False) -> bool:
        """Lock the first byte; return False if somebody has."""
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        if shared:
            _unlock(descriptor)
        return True

    def _unlock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int, *, shared: bool = False) -> bool:
        """Lock the file; return False if somebody has."""
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)

    def _let_go() -> None:
        """In a process that was forked: it must not keep alive what its parent trained."""
        for descriptor in _DESCRIPTORS:
            with contextlib.suppress(OSError):
                os.close(descriptor)
        _DESCRIPTORS.clear()
        _PROMISED.clear()

    os.register_at_fork(after_in_child=_let_go)
