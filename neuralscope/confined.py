"""One of our functions in a process of its own, with limits: for files that nobody has checked.

    pictures = confined.call(read_plain, "signs.npz", subject="signs.npz", failure=DataError)

A parser that is fed a hostile file may ask for all memory, never end, or crash in C. In a child
it can do none of that to us: the operating system refuses it memory, and it is killed when its time
is over. What goes in and comes out are plain values (None, bool, int, float, str, bytes, list,
tuple, dict, arrays of numbers or text), as JSON with the bytes behind it. Nothing is pickled.

Our own errors come back as themselves; whatever else happens to the child is one sentence.

A child takes some 0.1 s to start, plus what it imports. It keeps to one core.

Memory and processor time are limited where the platform knows `setrlimit` and keeps to it: Linux
does; macOS does not limit memory, and Windows limits neither. Wall-clock time, the size of what
comes back and the separation of the processes hold everywhere.
"""

from __future__ import annotations

import importlib
import json
import logging
import math
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from neuralscope import errors
from neuralscope.errors import NeuralScopeError

AT_ONCE = 2
"""Children at a time: what they may take together stays bounded, however many ask."""

_CHECKOUT = Path(__file__).resolve().parents[1]
_PLAIN_KINDS = "buifUS"  # of arrays: numbers and text
_DESCRIPTORS = 64
_MOST_DESCRIPTION = 16 * 2**20  # bytes of JSON
_GRACE = 5  # seconds after which a child whose parent is gone ends itself

_OUT_OF_TIME = {-getattr(signal, name) for name in ("SIGXCPU", "SIGALRM") if hasattr(signal, name)}

_places = threading.BoundedSemaphore(AT_ONCE)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limits:
    """What a child may take.

    Attributes:
        memory: Bytes of address space; the interpreter with NumPy takes 100 MB of them.
        seconds: Wall-clock time, and processor time.
        result: Bytes of what comes back.
    """

    memory: int = 768 * 2**20
    seconds: float = 30.0
    result: int = 256 * 2**20


USUAL = Limits()


def call(
    function: Callable[..., Any] | str,
    *arguments: Any,
    subject: str = "The file",
    failure: type[NeuralScopeError] = errors.DataError,
    limits: Limits = USUAL,
) -> Any:
    """Call a function in a child process and return what it returns.

    Args:
        function: At the top of one of our modules, or its name, "module:function".
        arguments: Plain values.
        subject: What is read, as the sentences name it.
        failure: The error for what is not an error of ours, of a kind that takes its sentence.
        limits: What the child may take.

    Raises:
        NeuralScopeError: The function raised it; it has the class and the attributes it had there.
        failure: The child ran out of memory or time, crashed, or returned too much.
    """
    if isinstance(function, str):
        name = function
    else:
        name = f"{function.__module__}:{function.__qualname__}"
    try:
        with _places, _child(limits) as (child, is_overdue):
            answer = _conversation(child, {"function": name, "arguments": arguments}, limits.result)
    except OSError as error:
        raise failure(
            f"{subject} cannot be read: no process can be started for it "
            f"({error.strerror or error})."
        ) from error
    match answer:
        case {"returned": value}:
            return value
        case {"raised": str(kind), "message": str(message), "attributes": dict(attributes)}:
            raise _rebuilt(kind, message, attributes, failure)
        case {"exhausted": True}:
            raise failure(
                f"{subject} needs more than the {limits.memory / 2**20:,.0f} MB of memory that "
                "reading a file may take. Use a smaller file."
            )
    if is_overdue.is_set() or child.returncode in _OUT_OF_TIME:
        raise failure(
            f"{subject} could not be read in the {limits.seconds:g} s that reading a file may take."
        )
    # An answer that is none of these, or a child that died of something else.
    logger.info("%s of %s (exit status %s): %s", name, subject, child.returncode, answer)
    raise failure(f"{subject} cannot be read: it is damaged, or not the kind of file it should be.")


def _conversation(child: subprocess.Popen[bytes], order: dict[str, Any], most: int) -> Any:
    """Tell a child what to call, and return its answer."""
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        with suppress(BrokenPipeError):  # its answer says why, or its end does
            _write(child.stdin, order)
            child.stdin.close()
        return _read(child.stdout, most)
    except Exception as error:  # the child is not trusted to speak our language
        return {"broken": f"{type(error).__name__}: {error}"}


@contextmanager
def _child(limits: Limits) -> Iterator[tuple[subprocess.Popen[bytes], threading.Event]]:
    """Start a child that is gone afterwards, and tell whether it was killed for its time."""
    search_path = [str(_CHECKOUT), *filter(None, [os.environ.get("PYTHONPATH")])]
    # Threads would each take address space, and other people's cores.
    one_thread = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    child = subprocess.Popen(
        # -P: a numpy.py in the working folder is not NumPy.
        [sys.executable, "-P", "-m", __name__, str(limits.memory), str(limits.seconds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **one_thread, "PYTHONPATH": os.pathsep.join(search_path)},
        start_new_session=True,  # Ctrl-C is ours to handle
    )
    is_overdue = threading.Event()

    def end() -> None:
        is_overdue.set()
        child.kill()

    timer = threading.Timer(limits.seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield child, is_overdue
    finally:
        timer.cancel()
        child.kill()
        for pipe in (child.stdin, child.stdout):
            with suppress(OSError):
                cast("IO[bytes]", pipe).close()
        child.wait()


def _rebuilt(
    kind: str, message: str, attributes: dict[str, Any], failure: type[NeuralScopeError]
) -> NeuralScopeError:
    """Return an error of ours as it was in the child."""
    named: Any = getattr(errors, kind, None)
    is_ours = isinstance(named, type) and issubclass(named, NeuralScopeError)
    cls: type[NeuralScopeError] = named if is_ours else failure
    # Past __init__, which may take other things than the sentence that it makes of them.
    error = cls.__new__(cls, message)
    vars(error).update(attributes)
    return error


# Plain values over a pipe -------------------------------------------------------------------------


def _write(pipe: IO[bytes], value: Any) -> None:
    """Write a value: the length of its description, the description in JSON, and the bytes."""
    pieces: list[memoryview] = []
    description = json.dumps(_described(value, pieces)).encode()
    pipe.write(len(description).to_bytes(8, "little") + description)
    for piece in pieces:
        pipe.write(piece)
    pipe.flush()


def _described(value: Any, pieces: list[memoryview]) -> Any:
    """Return a value as JSON can say it; bytes are added to the pieces."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case bytes():
            pieces.append(memoryview(value))
            return {"bytes": len(value)}
        case list():
            return [_described(each, pieces) for each in value]
        case tuple():
            return {"tuple": [_described(each, pieces) for each in value]}
        case dict():
            return {"dict": [[key, _described(each, pieces)] for key, each in value.items()]}
        case np.ndarray() if value.dtype.kind in _PLAIN_KINDS:
            flat = np.ascontiguousarray(value).reshape(-1)
            pieces.append(flat.view(np.uint8).data)
            return {"array": [value.dtype.str, list(value.shape)]}
        case _:
            raise TypeError(f"a {type(value).__name__} is not a plain value")


def _read(pipe: IO[bytes], most: int) -> Any:
    """Read a value of up to `most` bytes.

    Raises:
        ValueError: What comes is something else, or more. So may be other exceptions.
    """
    length = int.from_bytes(_exactly(pipe, 8), "little")
    if length > _MOST_DESCRIPTION:
        raise ValueError(f"its description has {length} bytes")
    return _restored(json.loads(_exactly(pipe, length)), pipe, [most])


def _restored(description: Any, pipe: IO[bytes], left: list[int]) -> Any:
    """Return the value of a description; of the bytes that are left, take those of the value."""
    match description:
        case {"bytes": int(size)}:
            return bytes(_taken(pipe, size, left))
        case {"tuple": list(parts)}:
            return tuple(_restored(each, pipe, left) for each in parts)
        case {"dict": list(items)}:
            return {key: _restored(each, pipe, left) for key, each in items}
        case {"array": [str(code), list(shape)]}:
            dtype = np.dtype(code)
            if dtype.kind not in _PLAIN_KINDS:
                raise ValueError(f"its values are {dtype}")
            content = _taken(pipe, math.prod(shape) * dtype.itemsize, left)
            return np.frombuffer(content, dtype).reshape(shape)
        case list():
            return [_restored(each, pipe, left) for each in description]
        case None | bool() | int() | float() | str():
            return description
    raise ValueError("it is not a plain value")


def _taken(pipe: IO[bytes], size: int, left: list[int]) -> bytearray:
    if not 0 <= size <= left[0]:
        raise ValueError(f"it has more than {left[0]} bytes")
    left[0] -= size
    return _exactly(pipe, size)


def _exactly(pipe: IO[bytes], size: int) -> bytearray:
    content = bytearray(size)
    view, n_read = memoryview(content), 0
    while n_read < size:
        n_more = cast("Any", pipe).readinto(view[n_read:])
        if not n_more:
            raise EOFError("it ended in the middle")
        n_read += n_more
    return content


# The child ----------------------------------------------------------------------------------------


def main() -> None:
    """Take limits upon oneself, read what to call, call it, and write what came of it."""
    memory, seconds = int(sys.argv[1]), float(sys.argv[2])
    _limit(memory, seconds)
    # Whatever a library may print does not belong into the answer.
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as channel:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        try:
            order = _read(sys.stdin.buffer, memory)
            answer = _outcome(order["function"], order["arguments"])
        except MemoryError:
            answer = {"exhausted": True}
        _write(channel, answer)


def _limit(memory: int, seconds: float) -> None:
    if hasattr(signal, "alarm"):
        signal.alarm(math.ceil(seconds) + _GRACE)
    try:
        import resource
    except ImportError:  # Windows
        return
    for name, most in (
        ("RLIMIT_AS", memory),
        ("RLIMIT_CPU", math.ceil(seconds)),
        ("RLIMIT_NOFILE", _DESCRIPTORS),
        ("RLIMIT_FSIZE", 0),  # it only reads
        ("RLIMIT_CORE", 0),
    ):
        # One that the platform does not know or keep to leaves the others.
        with suppress(AttributeError, ValueError, OSError):
            kind = getattr(resource, name)
            _, hard = resource.getrlimit(kind)
            most = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(kind, (most, most))


def _outcome(name: str, arguments: tuple[Any, ...]) -> dict[str, Any]:
    """Call a function; return what it returned or raised, as plain values.

    Raises:
        MemoryError: It ran out of memory.
    """
    module, _, function = name.partition(":")
    try:
        return {"returned": getattr(importlib.import_module(module), function)(*arguments)}
    except NeuralScopeError as error:
        return {
            "raised": type(error).__name__,
            "message": str(error),
            "attributes": vars(error),
        }
    except MemoryError:
        raise
    except BaseException:
        return {"broken": traceback.format_exc()}


if __name__ == "__main__":
    main()
