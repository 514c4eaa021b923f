"""The child, called in this process; the network is a server of our own or refused."""

from __future__ import annotations

import dataclasses
import gzip
import http.server
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

import numpy as np
import pytest
import sklearn.datasets
from sklearn.utils import Bunch

from neuralscope.data.cache import read_table
from neuralscope.data.contents import OpenMLSource, Table
from neuralscope.data.home import compact_path
from neuralscope.data.openml import DownloadWatch, fetch_table, fulfil, link_copies, reason_for
from neuralscope.errors import DataError

News = dict[str, Any]
ARFF = "openml/openml.org/data/v1/download/1/tiny.arff.gz"


@pytest.fixture(autouse=True)
def opener(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take back what the child installs for its whole process."""
    monkeypatch.setattr(urllib.request, "_opener", None)


@pytest.fixture
def home(tmp_path: Path, openml_home: Callable[[Path], Path]) -> Path:
    return openml_home(tmp_path / "home")


def order_for(source: OpenMLSource, home: Path, scratch: Path) -> News:
    scratch.mkdir(parents=True)
    order = {
        "source": dataclasses.asdict(source),
        "data_home": str(home),
        "scratch": str(scratch),
        "timeout": 5.0,
    }
    return json.loads(json.dumps(order))  # type: ignore[no-any-return]


def news_of(source: OpenMLSource, home: Path, scratch: Path) -> list[News]:
    news: list[News] = []
    fulfil(order_for(source, home, scratch), news.append)
    return news


def test_scikit_learns_copy_is_turned_into_a_compact_one(tiny: OpenMLSource, home: Path) -> None:
    news = news_of(tiny, home, home / "neuralscope" / "fetch-1")
    path = compact_path(home, "tiny")
    assert [item["phase"] for item in news] == ["parsing", "done"]
    assert news[-1]["path"] == str(path)
    assert read_table(path, tiny) is not None


def test_scikit_learns_copy_stays_as_it_was(tiny: OpenMLSource, home: Path) -> None:
    before = {path: path.read_bytes() for path in home.rglob("*.gz")}
    news_of(tiny, home, home / "neuralscope" / "fetch-1")
    assert {path: path.read_bytes() for path in (home / "openml").rglob("*.gz")} == before


def test_where_the_home_cannot_be_written_the_copy_lies_in_scratch(
    tiny: OpenMLSource, home: Path, tmp_path: Path
) -> None:
    (home / "neuralscope").touch()  # in the way of the folder; holds for the superuser as well
    news = news_of(tiny, home, tmp_path / "scratch")
    path = Path(news[-1]["path"])
    assert path.parent == tmp_path / "scratch"
    assert read_table(path, tiny) is not None


def test_where_the_home_cannot_be_written_nothing_is_downloaded(
    tiny: OpenMLSource, tmp_path: Path
) -> None:
    # Else a download for every run; scikit-learn warns that it tries twice.
    with pytest.warns(RuntimeWarning, match="redownloading"):
        news = news_of(tiny, tmp_path / "home", tmp_path / "scratch")
    assert news[-1]["phase"] == "failed"
    assert "cannot be written" in news[-1]["reason"]
    assert "SCIKIT_LEARN_DATA" in news[-1]["reason"]


@pytest.mark.filterwarnings("ignore:Invalid cache:RuntimeWarning")
def test_a_damaged_copy_is_called_that_and_left_to_its_owner(
    tiny: OpenMLSource, home: Path, tmp_path: Path
) -> None:
    for path in sorted((home / "openml").rglob("*.gz")):
        whole = path.read_bytes()
        path.write_bytes(whole[:-20])
        news = news_of(tiny, home, tmp_path / path.name / path.parent.name)
        assert news[-1]["phase"] == "failed"
        assert f"the copy {path} is damaged, and could not be fetched" in news[-1]["reason"]
        assert path.read_bytes() == whole[:-20]
        path.write_bytes(whole)


@pytest.mark.filterwarnings("ignore:Invalid cache:RuntimeWarning")
def test_a_copy_with_other_data_than_the_known_is_called_damaged(
    other: OpenMLSource, home: Path, tmp_path: Path
) -> None:
    news = news_of(other, home, tmp_path / "scratch")
    assert news[-1]["phase"] == "failed"
    assert f"the copy {home / 'openml'} is damaged, and could not be" in news[-1]["reason"]
    assert not compact_path(home, "tiny").exists()


def test_a_download_of_other_data_than_the_known_is_refused(
    other: OpenMLSource, tiny_table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_fetch(monkeypatch, tiny_table[:, :-1], tiny_table[:, -1])
    news = news_of(other, tmp_path, tmp_path / "neuralscope" / "fetch-1")
    assert "is not Tiny, its digest is not the known one" in news[-1]["reason"]
    assert not compact_path(tmp_path, "tiny").exists()


def fake_fetch(
    monkeypatch: pytest.MonkeyPatch, pixels: object, labels: object, download: str | None = None
) -> None:
    def fetch_openml(name: str, *, data_home: str, **options: object) -> object:
        if download is not None:
            file = Path(data_home, download)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.unlink(missing_ok=True)
            file.write_bytes(b"fresh")
        return Bunch(data=pixels, target=labels)

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch_openml)


def test_a_download_is_kept_for_scikit_learn(
    tiny: OpenMLSource, tiny_table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_fetch(monkeypatch, tiny_table[:, :-1], tiny_table[:, -1], download=ARFF)
    news_of(tiny, tmp_path, tmp_path / "neuralscope" / "fetch-1")
    assert (tmp_path / ARFF).read_bytes() == b"fresh"


def test_a_download_with_other_data_is_not_kept(
    other: OpenMLSource, tiny_table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_fetch(monkeypatch, tiny_table[:, :-1], tiny_table[:, -1], download=ARFF)
    news_of(other, tmp_path, tmp_path / "neuralscope" / "fetch-1")
    assert not (tmp_path / ARFF).exists()


def test_a_download_replaces_a_copy_that_was_no_good(
    tiny: OpenMLSource, tiny_table: Table, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_fetch(monkeypatch, tiny_table[:, :-1], tiny_table[:, -1], download=ARFF)
    news_of(tiny, home, home / "neuralscope" / "fetch-1")
    assert (home / ARFF).read_bytes() == b"fresh"


@pytest.mark.parametrize("fault", ["too few pixels", "fractions", "labels that are words"])
def test_what_does_not_look_like_images_is_refused(
    fault: str,
    tiny: OpenMLSource,
    tiny_table: Table,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pixels: Any = tiny_table[:, :-1]
    labels: Any = tiny_table[:, -1].astype(str).astype(object)
    if fault == "too few pixels":
        pixels = pixels[:, 1:]
    elif fault == "fractions":
        pixels = pixels / 255
    else:
        labels[3] = "three"
    fake_fetch(monkeypatch, pixels, labels)
    with pytest.raises(DataError, match="what OpenML delivered is not Tiny"):
        fetch_table(tiny, tmp_path)


def test_links_leave_out_downloads_under_way(tmp_path: Path) -> None:
    (tmp_path / "openml" / "tmpabc").mkdir(parents=True)
    (tmp_path / "openml" / "tmpabc" / "half.gz").touch()
    (tmp_path / "openml" / "whole.gz").touch()
    assert link_copies(tmp_path / "openml", tmp_path / "links")
    assert [path.name for path in (tmp_path / "links").iterdir()] == ["whole.gz"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this platform has no named pipes")
def test_what_is_no_file_is_not_linked(tmp_path: Path) -> None:
    (tmp_path / "openml").mkdir()
    os.mkfifo(tmp_path / "openml" / "pipe.gz")
    assert not link_copies(tmp_path / "openml", tmp_path / "links")


def test_where_links_are_not_allowed_files_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise OSError("privilege not held")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    (tmp_path / "openml").mkdir()
    (tmp_path / "openml" / "whole.gz").write_bytes(b"content")
    assert link_copies(tmp_path / "openml", tmp_path / "links")
    assert (tmp_path / "links" / "whole.gz").read_bytes() == b"content"


def test_no_copies_give_no_links(tmp_path: Path) -> None:
    assert not link_copies(tmp_path / "none", tmp_path / "links")


REASONS = [
    (HTTPError("u", 503, "", None, None), "HTTP status 503"),  # type: ignore[arg-type]
    (URLError(socket.gaierror(-2, "Name or service not known")), "no network"),
    (URLError(ConnectionRefusedError(111, "Connection refused")), "was refused"),
    (URLError(TimeoutError("timed out")), "did not answer in time"),
    (URLError(ssl.SSLCertVerificationError("self-signed")), "no secure connection"),
    (URLError(OSError(101, "Network is unreachable")), r"failed \(Network is unreachable\)"),
    (URLError("unknown url type"), r"failed \(unknown url type\)"),
    (TimeoutError("timed out"), "did not answer in time"),
    (ConnectionResetError(104, "Connection reset"), "connection to OpenML broke"),
    (ModuleNotFoundError("sklearn"), "not installed"),
    (MemoryError(), "not enough memory"),
    (OSError(28, "No space left on device"), r"folder home cannot be used \(No space left"),
    (gzip.BadGzipFile("not a gzipped file"), r"could not read .* \(BadGzipFile\)"),
    (TypeError("expected string"), r"could not read .* \(TypeError\)"),
    (DataError("it is odd"), "it is odd"),
]


@pytest.mark.parametrize(("error", "reason"), REASONS, ids=lambda value: type(value).__name__)
def test_every_failure_has_a_reason_for_people(
    error: BaseException, reason: str, tiny: OpenMLSource
) -> None:
    text = reason_for(error, tiny, Path("home"))
    assert re.search(reason, text)
    assert "\n" not in text
    assert not text.endswith(".")  # it becomes part of a sentence
    if isinstance(error, HTTPError):
        error.close()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = bytes(200_000)
        self.send_response(404 if "missing" in self.path else 200)
        if "unsized" not in self.path:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def open_watched(url: str, tell: Callable[[News], None], refusal: str | None = None) -> Any:
    handlers = (urllib.request.ProxyHandler({}), DownloadWatch(tell, refusal))
    return urllib.request.build_opener(*handlers).open(url)


@pytest.mark.parametrize(("path", "expected"), [("/data/1", 200_000), ("/data/unsized", None)])
def test_a_download_is_counted(path: str, expected: int | None, server: str) -> None:
    news: list[News] = []
    with open_watched(server + path, news.append) as response:
        received = b"".join(iter(lambda: response.read(65_536), b""))
    assert len(received) == 200_000
    assert [item["phase"] for item in news[:2]] == ["connecting", "downloading"]
    assert news[-1] == {"phase": "parsing", "received": 200_000, "expected": expected}


def test_descriptions_are_not_counted(server: str) -> None:
    news: list[News] = []
    with open_watched(server + "/api/v1/json", news.append) as response:
        assert len(response.read()) == 200_000
    assert [item["phase"] for item in news] == ["connecting"]


def test_an_error_page_is_not_counted(server: str) -> None:
    news: list[News] = []
    with pytest.raises(HTTPError) as caught:
        open_watched(server + "/data/missing", news.append)
    caught.value.close()
    assert [item["phase"] for item in news] == ["connecting"]


def test_a_refusal_keeps_requests_from_going_out(server: str) -> None:
    with pytest.raises(DataError, match="not here"):
        open_watched(server, lambda item: None, refusal="not here")


def test_the_program_ends_when_its_parent_is_gone(tiny: OpenMLSource, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        child = subprocess.Popen(
            [sys.executable, "-m", "neuralscope.data.openml"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env={
                **os.environ,
                "PYTHONPATH": str(Path(__file__).parents[2]),
                "https_proxy": f"http://127.0.0.1:{silent.getsockname()[1]}",
            },
        )
        scratch = tmp_path / "neuralscope" / "fetch-1"
        order = order_for(tiny, tmp_path, scratch) | {"timeout": 60.0}
        assert child.stdin is not None
        child.stdin.write(json.dumps(order).encode() + b"\n")
        child.stdin.flush()
        silent.settimeout(60)
        connection, _ = silent.accept()
        with connection:  # the child now waits for an answer
            child.stdin.close()
            assert child.wait(30) != 0
    assert not scratch.exists()


def test_pixels_and_labels_arrive_in_order(
    tiny: OpenMLSource, tiny_table: Table, home: Path
) -> None:
    np.testing.assert_array_equal(fetch_table(tiny, home), tiny_table)
