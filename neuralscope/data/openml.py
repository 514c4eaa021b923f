"""The child that fetches one data set from OpenML: `python -m neuralscope.data.openml`.

It reads one line of JSON (the order) from its standard input and writes its news, a line of
JSON each, to its standard output; `neuralscope.data.fetch` is at the other end. Not to be
imported by the package: it is a program.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import socket
import ssl
import sys
import threading
import time
import traceback
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

import numpy as np

from neuralscope.data.cache import write_table
from neuralscope.data.contents import OpenMLSource, Table
from neuralscope.data.home import compact_path
from neuralscope.errors import DataError

NEWS_SECONDS = 0.1

Tell = Callable[[dict[str, Any]], None]


class DownloadWatch(urllib.request.BaseHandler):
    """Sees every request and response of `urllib`, and tells how the download goes.

    Args:
        tell: Takes the news.
        refusal: Why nothing may be downloaded, or None if it may.

    Attributes:
        has_asked: Whether anything was to be downloaded.
    """

    def __init__(self, tell: Tell, refusal: str | None = None) -> None:
        self._tell = tell
        self._refusal = refusal
        self.has_asked = False

    def https_request(self, request: urllib.request.Request) -> urllib.request.Request:
        """Tell that a request goes out, or stop it."""
        self.has_asked = True
        if self._refusal is not None:
            raise DataError(self._refusal)
        self._tell({"phase": "connecting", "received": 0, "expected": None})
        return request

    def https_response(
        self, request: urllib.request.Request, response: http.client.HTTPResponse
    ) -> http.client.HTTPResponse:
        """Count what is read from the data itself; descriptions are too short to be worth it."""
        if response.status == 200 and "/api/" not in request.full_url:
            self._count(response)
        return response

    http_request = https_request
    http_response = https_response

    def _count(self, response: http.client.HTTPResponse) -> None:
        expected = response.length
        received = 0
        told = float("-inf")

        def read(size: int = -1) -> bytes:
            nonlocal received, told
            # `read` would wait for all `size` bytes, which is no news for long on a slow network.
            piece = response.read1(size)
            received += len(piece)
            now = time.monotonic()
            if piece and now - told > NEWS_SECONDS:
                told = now
                self._tell({"phase": "downloading", "received": received, "expected": expected})
            elif not piece:
                self._tell({"phase": "parsing", "received": received, "expected": expected})
            return piece

        response.read = read  # type: ignore[method-assign,assignment]


def fetch_table(source: OpenMLSource, openml_home: Path) -> Table:
    """Let scikit-learn fetch `source` and return its table, unchecked.

    Raises:
        DataError: What came does not have the form of images with labels.
    """
    from sklearn.datasets import fetch_openml

    n = source.n_features
    bunch = fetch_openml(
        source.openml_name,
        version=source.openml_version,
        data_home=str(openml_home),
        as_frame=False,
        n_retries=1,
        parser="pandas",
        # The types scikit-learn derives from OpenML's description make it fail with pandas 3.1.
        read_csv_kwargs={"dtype": {**dict.fromkeys(range(n), "uint8"), n: "str"}},
    )
    if bunch.data.shape[1:] != (n,) or bunch.data.dtype != np.uint8:
        raise DataError(f"what OpenML delivered is not {source.title}: the images differ in form")
    table: Table = np.empty((len(bunch.data), n + 1), np.uint8)
    table[:, :-1] = bunch.data
    try:
        table[:, -1] = bunch.target.astype(str).astype(np.uint8)
    except (ValueError, OverflowError) as error:
        raise DataError(f"what OpenML delivered is not {source.title}: odd labels") from error
    return table


def fulfil(order: Mapping[str, Any], tell: Tell) -> None:
    """Fetch what `order` says and tell how it goes; the last news is "done" or "failed"."""
    source = OpenMLSource.from_json(order["source"])
    home, scratch = Path(order["data_home"]), Path(order["scratch"])
    try:
        path = _fetch(source, home, scratch, tell)
    except Exception as error:
        tell(
            {
                "phase": "failed",
                "reason": reason_for(error, source, home),
                "detail": traceback.format_exc(),
            }
        )
    else:
        tell({"phase": "done", "path": str(path)})


def reason_for(error: BaseException, source: OpenMLSource, home: Path) -> str:
    """Say in a clause, for people, why the fetch failed."""
    if isinstance(error, HTTPError):
        return f"OpenML answered with an error (HTTP status {error.code})"
    if isinstance(error, DataError):
        return str(error)
    if isinstance(error, URLError):
        cause = error.reason
        if isinstance(cause, (TimeoutError, ConnectionError, socket.gaierror, ssl.SSLError)):
            return reason_for(cause, source, home)
        return f"the connection to OpenML failed ({getattr(cause, 'strerror', None) or cause})"
    if isinstance(error, socket.gaierror):
        return "the address of OpenML could not be looked up, there seems to be no network"
    if isinstance(error, TimeoutError):
        return "OpenML did not answer in time"
    if isinstance(error, ssl.SSLError):
        return "there is no secure connection to OpenML"
    if isinstance(error, ConnectionRefusedError):
        return "the connection to OpenML was refused"
    if isinstance(error, (ConnectionError, http.client.HTTPException)):
        return "the connection to OpenML broke"
    if isinstance(error, ImportError):
        return "scikit-learn or pandas is not installed"
    if isinstance(error, MemoryError):
        return "there is not enough memory to read it"
    if isinstance(error, OSError) and error.strerror:
        return f"the folder {home} cannot be used ({error.strerror})"
    return f"scikit-learn could not read what OpenML delivered ({type(error).__name__})"


def _fetch(source: OpenMLSource, home: Path, scratch: Path, tell: Tell) -> Path:
    """Return the path of the compact copy: in the data home, or in scratch if it cannot be."""
    working_home = scratch / "scikit_learn_data"
    links = link_copies(home / "openml", working_home / "openml")
    refusal = None
    if not scratch.is_relative_to(home):
        # Downloaded all the same, it would have to be downloaded again for every run.
        refusal = f"the folder {home} cannot be written (SCIKIT_LEARN_DATA can name another one)"
    watch = DownloadWatch(tell, refusal)
    urllib.request.install_opener(urllib.request.build_opener(watch))
    if links:
        tell({"phase": "parsing", "received": 0, "expected": None})
    try:
        table = _sound_table(source, working_home)
    except Exception as error:
        table = _fetched_anew(source, home, working_home, links, watch, error)
    path = compact_path(home, source.name)
    try:
        write_table(path, table)
    except OSError:
        path = scratch / path.name
        write_table(path, table)
    keep_downloads(working_home / "openml", home / "openml")
    return path


def _sound_table(source: OpenMLSource, openml_home: Path) -> Table:
    """Return the table of `source`. Raises DataError if it is another one."""
    table = fetch_table(source, openml_home)
    fault = source.fault(table)
    if fault is not None:
        raise DataError(f"what OpenML delivered is not {source.title}, {fault}")
    return table


def _fetched_anew(
    source: OpenMLSource,
    home: Path,
    working_home: Path,
    links: Mapping[Path, Path],
    watch: DownloadWatch,
    error: Exception,
) -> Table:
    """Fetch without the copies, where they are at fault; else raise the error.

    scikit-learn itself takes away a copy that it cannot unpack and downloads it again; for what it
    cannot make sense of, or what holds other images, that is done here.

    Raises:
        DataError: A copy is damaged and cannot be fetched anew.
        Exception: The error, or another one that has nothing to do with copies.
    """
    damaged = [copy for link, copy in links.items() if not os.path.lexists(link)]
    if links and not watch.has_asked:
        damaged = [home / "openml"]
        shutil.rmtree(working_home / "openml", ignore_errors=True)
        try:
            return _sound_table(source, working_home)
        except Exception as again:
            error = again
    if not damaged or not watch.has_asked:
        raise error
    raise DataError(
        f"the copy {damaged[0]} is damaged, and could not be fetched anew: "
        f"{reason_for(error, source, home)}"
    ) from error


def link_copies(copies: Path, links: Path) -> dict[Path, Path]:
    """Fill `links` with links to scikit-learn's copies; return which copy each leads to.

    `fetch_openml` deletes its cached file whenever reading it raises anything but a network or
    parser error: a wrong checksum, but also too little memory or a pandas it does not know.
    Behind links, that takes the link and leaves the copy.
    """
    made = {}
    for folder, subfolders, files in os.walk(copies):
        # Downloads of others that are still under way.
        subfolders[:] = [name for name in subfolders if not name.startswith("tmp")]
        target = links / Path(folder).relative_to(copies)
        target.mkdir(parents=True, exist_ok=True)
        for name in files:
            copy, link = Path(folder, name), target / name
            with contextlib.suppress(OSError):
                if copy.is_file():  # reading a pipe would never end
                    _link(copy, link)
                    made[link] = copy
    return made


def keep_downloads(downloads: Path, copies: Path) -> None:
    """Move what was downloaded to where scikit-learn looks for it, if that can be written."""
    for path in downloads.rglob("*.gz"):
        if path.is_file() and not path.is_symlink():
            target = copies / path.relative_to(downloads)
            with contextlib.suppress(OSError):
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(path, target)


def _link(path: Path, link: Path) -> None:
    try:
        link.symlink_to(path)
    except OSError:
        # Windows allows links to few people.
        shutil.copyfile(path, link)


def _end_with_parent(scratch: Path) -> None:
    """Block until the parent's end of our input closes, then end, whatever is under way."""
    while os.read(0, 1024):
        pass
    shutil.rmtree(scratch, ignore_errors=True)
    os._exit(1)


def main() -> None:
    """Read the order, fulfil it, report on standard output."""
    order = json.loads(sys.stdin.buffer.readline())
    scratch = Path(order["scratch"])
    threading.Thread(target=_end_with_parent, args=(scratch,), daemon=True).start()
    # Sooner than the parent's patience ends: our own error says more than being killed.
    socket.setdefaulttimeout(order["timeout"])
    channel = sys.stdout
    # Whatever a library may print does not belong between the news.
    sys.stdout = sys.stderr

    def tell(news: dict[str, Any]) -> None:
        channel.write(json.dumps(news) + "\n")
        channel.flush()

    fulfil(order, tell)


if __name__ == "__main__":
    main()
