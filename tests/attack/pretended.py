"""Cases that find what there is to be found in a process: for the test of those who watch."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

HOLD = 300 * 2**20

KINDS = ("all is well", "two faults", "raises", "exits", "is killed", "hangs", "takes memory")


def case(
    number: int, chance: random.Random, folder: Path, announce: Callable[[str], None]
) -> list[str]:
    kind = KINDS[number]
    announce(kind)
    (folder / "something").touch()
    match kind:
        case "two faults":
            return ["one", "two"]
        case "raises":
            raise LookupError("not here")
        case "exits":
            os._exit(3)
        case "is killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "hangs":
            time.sleep(60)
        case "takes memory":
            held = b"x" * HOLD
            del held
    return []
