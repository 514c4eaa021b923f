"""Own data sets: what is understood, what is refused, and what is kept of it."""

from __future__ import annotations

import gzip
import io
import json
import math
import os
import re
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuralscope.data import (
    Dataset,
    add_dataset,
    dataset_info,
    dataset_names,
    is_cached,
    is_own_name,
    known_dataset,
    load_dataset,
    own,
    own_datasets,
    remove_dataset,
    start_fetch,
)
from neuralscope.data.home import compact_path
from neuralscope.data.own_files import limits
from neuralscope.errors import ConfigError, DataError, DataUnavailable

SHAPE = (3, 5)


def pictures(n_each: int = 20, n_classes: int = 3, shape: tuple[int, int] = SHAPE) -> Any:
    """Return images (n, height, width) and their labels, no two images alike."""
    labels = np.arange(n_each * n_classes) % n_classes
    rng = np.random.default_rng(1)
    return rng.integers(0, 256, (len(labels), *shape), dtype=np.uint8), labels


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **{key: np.asarray(value) for key, value in arrays.items()})
    return file.getvalue()


def idx(values: Any) -> bytes:
    values = np.asarray(values, np.uint8)
    return struct.pack(f">4B{values.ndim}I", 0, 0, 8, values.ndim, *values.shape) + values.tobytes()


def csv(images: Any, labels: Any, *, header: str = "", last: bool = False) -> bytes:
    rows = [header] if header else []
    for image, label in zip(images.reshape(len(images), -1).tolist(), labels, strict=True):
        rows.append(",".join(map(str, [*image, label] if last else [label, *image])))
    return "\n".join(rows).encode()


def added(source: Any, home: Path, name: str | None = "mine") -> Dataset:
    return load_dataset(add_dataset(source, name, data_home=home), data_home=home)


def reason(source: Any, home: Path) -> str:
    """Return why data is refused; nothing of it may be kept."""
    with pytest.raises(DataError) as caught:
        add_dataset(source, data_home=home)
    text = str(caught.value)
    assert "\n" not in text and text.endswith(".")
    assert not list(home.rglob("*")), "something was kept of it"
    return text


def everything(dataset: Dataset) -> set[tuple[bytes, str]]:
    """Return each image with the name of its class."""
    return {
        (image.tobytes(), dataset.class_names[label])
        for part in ("train", "validation", "test")
        for image, label in zip(
            getattr(dataset, f"x_{part}"), getattr(dataset, f"y_{part}"), strict=True
        )
    }


X, Y = pictures()
WANTED = {(image.tobytes(), str(label)) for image, label in zip(X, Y, strict=True)}
FLAT = X.reshape(len(X), -1)


class TestWhatIsUnderstood:
    @pytest.mark.parametrize(
        "arrays",
        [
            {"x": X, "y": Y},
            {"X": X[..., None], "y": Y[:, None]},
            {"images": X, "labels": Y.astype(np.uint8)},
            {"data": X.astype(np.float64), "target": Y.astype(np.float32)},
            {"arr_0": X, "arr_1": Y},
            {"faces": X, "y": Y, "mean": np.float64(3)},
            {"x": X, "mood": Y, "mean": np.zeros(SHAPE)},
            {"images": np.asfortranarray(X), "labels": Y.astype(">i4"), "mean": np.zeros(3)},
        ],
        ids=lambda arrays: ",".join(arrays),
    )
    def test_npz(self, arrays: dict[str, Any], tmp_path: Path) -> None:
        dataset = added(npz(**arrays), tmp_path)
        assert everything(dataset) == WANTED
        assert (dataset.image_shape, dataset.pixel_max) == (SHAPE, 255)
        assert dataset.class_names == ("0", "1", "2")

    @pytest.mark.parametrize("last", [False, True])
    @pytest.mark.parametrize("header", ["", "label,p1", "class,0"])
    def test_csv(self, header: str, last: bool, tmp_path: Path) -> None:
        if header:
            names = header.split(",")[:1] + [f"p{i}" for i in range(FLAT.shape[1])]
            header = ",".join(names[1:] + names[:1] if last else names)
        labels = np.array(["zero", "one", "two"])[Y]
        content = csv(X, labels, header=header, last=last)
        dataset = added({"signs-3x5.csv": content}, tmp_path)
        assert dataset.class_names == ("one", "two", "zero")
        assert everything(dataset) == {
            (image.tobytes(), str(label)) for image, label in zip(X, labels, strict=True)
        }

    def test_csv_of_numbers_alone(self, tmp_path: Path) -> None:
        assert everything(added({"a-3x5.csv": csv(X, Y)}, tmp_path)) == WANTED

    def test_the_last_column_is_the_label_where_the_first_can_be_none(self, tmp_path: Path) -> None:
        images = X.copy()
        images[:, 0, 0] = 0  # a corner is often empty
        dataset = added({"a-3x5.csv": csv(images, Y, last=True)}, tmp_path)
        assert dataset.class_names == ("0", "1", "2")

    def test_semicolons_and_the_shape_in_the_header(self, tmp_path: Path) -> None:
        header = ",".join(["label", *(f"{i}x{j}" for i in range(1, 4) for j in range(1, 6))])
        content = csv(X, Y, header=header).replace(b",", b";")
        assert added(b"\xef\xbb\xbf" + content, tmp_path).image_shape == SHAPE

    def test_the_shape_in_the_header_counts_wherever_the_label_stands(self, tmp_path: Path) -> None:
        header = ",".join([*(f"{i}x{j}" for i in range(1, 4) for j in range(1, 6)), "label"])
        assert added(csv(X, Y, header=header, last=True), tmp_path).image_shape == SHAPE

    def test_numbers_that_are_names_are_in_the_order_of_numbers(self, tmp_path: Path) -> None:
        dataset = added({"a-3x5.csv": csv(X, Y + 9, header="label" + ",p" * 15)}, tmp_path)
        assert dataset.class_names == ("9", "10", "11")

    def test_a_class_called_y_is_no_header(self, tmp_path: Path) -> None:
        labels = np.array(["Y", "Z", "A"])[Y]
        dataset = added({"a-3x5.csv": csv(X, labels)}, tmp_path)
        assert len(everything(dataset)) == len(X)

    @pytest.mark.parametrize("packed", [False, True])
    def test_idx_by_the_path_of_its_images(self, packed: bool, tmp_path: Path) -> None:
        folder = tmp_path / "files"
        folder.mkdir()
        for part, rows in (("train", slice(0, 45)), ("t10k", slice(45, None))):
            for what, values in (("images-idx3", X[rows]), ("labels-idx1", Y[rows])):
                name, content = f"{part}-{what}-ubyte", idx(values)
                if packed:
                    name, content = f"{name}.gz", gzip.compress(content)
                (folder / name).write_bytes(content)
        path = folder / f"train-images-idx3-ubyte{'.gz' if packed else ''}"
        dataset = added(path, tmp_path / "home", name=None)
        assert everything(dataset) == WANTED
        np.testing.assert_array_equal(dataset.x_test, FLAT[45:])
        assert dataset.name.startswith("own-files-")
        whole = added(folder, tmp_path / "home", name=None)
        assert whole.digest == dataset.digest

    def test_npz_and_csv_may_be_packed(self, tmp_path: Path) -> None:
        one = added(gzip.compress(npz(x=X, y=Y)), tmp_path)
        other = added({"a-3x5.csv.gz": gzip.compress(csv(X, Y))}, tmp_path)
        assert everything(one) == everything(other)

    def test_names_of_classes(self, tmp_path: Path) -> None:
        names = np.array(["hat", "cat", "bat"])
        assert added(npz(x=X, y=Y, class_names=names), tmp_path).class_names == tuple(names)
        assert added(npz(x=X, y=names[Y]), tmp_path).class_names == ("bat", "cat", "hat")
        assert added(npz(x=X, y=Y * 7 - 3), tmp_path).class_names == ("-3", "4", "11")

    def test_pixels(self, tmp_path: Path) -> None:
        for values, pixel_max in (
            (X / 255, 255),
            (X.astype(np.float32), 255),
            (X > 99, 1),
            (X // 16, 15),
        ):
            dataset = added(npz(x=values, y=Y), tmp_path)
            assert dataset.pixel_max == pixel_max
            ink = np.concatenate([dataset.x_train, dataset.x_validation, dataset.x_test])
            assert ink.max() == pixel_max
        np.testing.assert_array_equal(np.rint(X / 255 * 255).astype(np.uint8), X)

    @pytest.mark.parametrize("shape", [(1, 2), (64, 64), (12, 20), (64, 1)])
    @pytest.mark.parametrize("n_classes", [2, 100])
    def test_any_shape_and_any_number_of_classes(
        self, shape: tuple[int, int], n_classes: int, tmp_path: Path
    ) -> None:
        x, y = pictures(6, n_classes, shape)
        dataset = added(npz(x=x, y=y), tmp_path)
        assert dataset.image_shape == shape
        assert dataset.n_classes == n_classes
        for part in (dataset.y_train, dataset.y_validation, dataset.y_test):
            assert set(part.tolist()) == set(range(n_classes))


class TestSplit:
    def test_it_is_stratified_and_always_the_same(self, tmp_path: Path) -> None:
        x, y = pictures(50)
        one, other = (added(npz(x=x, y=y), tmp_path / home) for home in ("a", "b"))
        assert one.digest == other.digest
        sizes = [np.bincount(part).tolist() for part in (one.y_train, one.y_validation, one.y_test)]
        assert sizes == [[36] * 3, [4] * 3, [10] * 3]

    def test_a_rare_class_is_in_every_part(self, tmp_path: Path) -> None:
        x, y = pictures(40)
        keep = np.r_[np.flatnonzero(y != 2), np.flatnonzero(y == 2)[:5]]
        dataset = added(npz(x=x[keep], y=y[keep]), tmp_path)
        for part in (dataset.y_train, dataset.y_validation, dataset.y_test):
            assert 2 in part

    @pytest.mark.parametrize(
        "names",
        [
            ("x_train", "y_train", "x_test", "y_test"),
            ("train_images", "train_labels", "test_images", "test_labels"),
            ("X_train", "Y_train", "X_test", "Y_test"),
            ("xtrain", "ytrain", "xtest", "ytest"),
            ("trainX", "trainY", "testX", "testY"),
        ],
    )
    def test_a_test_part_of_its_own_stays_as_it_is(
        self, names: tuple[str, ...], tmp_path: Path
    ) -> None:
        arrays = dict(zip(names, (X[:40], Y[:40], X[40:], Y[40:]), strict=True))
        dataset = added(npz(**arrays), tmp_path)
        np.testing.assert_array_equal(dataset.x_test, FLAT[40:])
        np.testing.assert_array_equal(dataset.y_test, Y[40:])
        assert len(dataset.x_train) + len(dataset.x_validation) == 40
        assert everything(dataset) == WANTED

    def test_so_does_a_validation_part(self, tmp_path: Path) -> None:
        parts = {"train": slice(0, 30), "val": slice(30, 45), "test": slice(45, 60)}
        arrays = {f"{part}_images": X[rows] for part, rows in parts.items()}
        arrays |= {f"{part}_labels": Y[rows] for part, rows in parts.items()}
        dataset = added(npz(**arrays), tmp_path)
        np.testing.assert_array_equal(dataset.x_validation, FLAT[30:45])

    def test_two_csv_files(self, tmp_path: Path) -> None:
        files = {"a_train_3x5.csv": csv(X[:40], Y[:40]), "a_test_3x5.csv": csv(X[40:], Y[40:])}
        np.testing.assert_array_equal(added(files, tmp_path).x_test, FLAT[40:])


def nan(values: Any) -> Any:
    values = np.asarray(values, np.float32).copy()
    values.flat[7] = np.nan
    return values


def bomb(shape: tuple[int, ...]) -> bytes:
    """Return an archive of a few hundred bytes whose array says that it is large."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": shape}
    )
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", header.getvalue() + bytes(1000))
        archive.writestr("y.npy", header.getvalue())
    return file.getvalue()


def climbing() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("../../evil.txt", "no array")
    return file.getvalue()


def pickled() -> bytes:
    file = io.BytesIO()
    np.savez(file, allow_pickle=True, x=X, y=np.array([object(), "a"] * 30, dtype=object))
    return file.getvalue()


REFUSED = [
    ({"a.npz": b""}, "a.npz cannot be used: it is empty"),
    ({"a.npz": npz(x=X, y=Y)[:-40]}, "damaged or cut short"),
    ({"a.npz": npz(x=X, y=Y)[:500] + b"?" * 99 + npz(x=X, y=Y)[599:]}, "damaged or cut short"),
    ({"a.npz": pickled()}, r"array 'y' holds Python objects \(pickles\), which are never loaded"),
    ({"a.npz": bomb((10**6, 10**5))}, "array 'x' has no size that an array can have"),
    ({"a.npz": bomb((500, 3, 5))}, "array 'x' is of another size than it says"),
    ({"a.npz": bomb((-5, 3))}, "array 'x' has no size"),
    ({"a.npz": climbing()}, "a ZIP file without arrays"),
    ({"a.npz": npz(x=X)}, "there are no labels for training"),
    ({"a.npz": npz(y=Y)}, "there are no images for training"),
    ({"a.npz": npz(x_train=X, y_train=Y, x_test=X)}, "there are no labels for the test"),
    ({"a.npz": npz(x=X, y=Y[:-1])}, "60 images and 59 labels for training do not fit"),
    ({"a.npz": npz(x=X, y=Y * 0)}, "all its labels are the same"),
    ({"a.npz": npz(x=X, y=np.arange(60) // 2 * 1.5)}, "not whole numbers, so they are not labels"),
    ({"a.npz": npz(x=X, y=nan(Y))}, r"a label is not a number \(NaN"),
    ({"a.npz": npz(x=nan(X), y=Y)}, r"a pixel is not a number \(NaN"),
    (
        {"a.npz": npz(x=X - 3.0, y=Y)},
        "a pixel is -1: picture 5, row 2, column 4. Pixels must be whole .* go from -3 to 252",
    ),
    (
        {"a.npz": npz(x=X.astype(int) * 300, y=Y)},
        "Pixels must be whole numbers from 0 to 255, or fractions",
    ),
    ({"a.npz": npz(x=X * 0 + 9, y=Y)}, "all its pixels are the same"),
    ({"a.npz": npz(x=X.astype(str), y=Y)}, "the pixels are text"),
    ({"a.npz": npz(x=X.astype(complex), y=Y)}, "neither numbers nor text"),
    ({"a.npz": npz(x=np.stack([X] * 3, -1), y=Y)}, "in color"),
    ({"a.npz": npz(x=X[:0], y=Y[:0])}, "there are no images for training"),
    ({"a.npz": npz(x=X[:9], y=Y[:9])}, "class 0 has 3 training examples; each needs at least 5"),
    ({"a.npz": npz(x=np.zeros((60, 65, 5)), y=Y)}, "images of 65 x 5 pixels are not possible"),
    (
        {"a.npz": npz(x=FLAT, y=Y)},
        "15 pixels are not a square image; put rows×columns in the file name",
    ),
    ({"a.npz": npz(x=X, y=np.eye(3)[Y])}, r"labels of shape \(60, 3\) are not one for each"),
    (
        {"a.npz": npz(x_train=X, y_train=Y, x_test=X[:, :2], y_test=Y)},
        "images of different shapes, 2 x 5 and 3 x 5",
    ),
    ({"a.npz": npz(x=np.zeros((606, 2, 2)), y=np.arange(606) % 101)}, "101 different labels"),
    ({"a.npy": b"\x93NUMPY" + bytes(99)}, "holds one array only"),
    ({"a.gz": gzip.compress(npz(x=X, y=Y))[:-20]}, "gzip compression is damaged"),
    ({"a.gz": gzip.compress(gzip.compress(b"x"))}, "packed more than once"),
    ({"a.idx": idx(X)[:-1]}, "should hold 900 bytes after its header, but holds 899"),
    ({"a.idx": b"\0\0\x08\xff"}, "not an IDX file, or a damaged one"),
    ({"a.idx": idx(X)}, "there are no labels"),
    ({"a.csv": b"hello"}, "rows have one column only"),
    ({"a.csv": b"label,a,b,c,d\n"}, "it has no rows"),
    ({"a.csv": b"\xff\xfe,\x80\n"}, "not text in UTF-8"),
    ({"a.csv": b"1,2\0,3"}, "neither .npz nor IDX nor CSV"),
    ({"a.csv": b"a,1,2,3,4\nb,1,2,x,4\n"}, "column 4 of row 2 is 'x'. Pixels must be numbers."),
    ({"a.csv": b"a,1,2,3,4\nb,1,2,3\n"}, "row 2 has 4 columns instead of 5"),
    ({"a.csv": b"label,a,b\n1,2,3,4,5\n"}, "row 2 has 5 columns instead of 3"),
    ({"a.csv": b"label,a,b,c,d\n1,9,2,3,4\nnan,1,2,3,4\n2,1,2,3,4"}, "label is not a number"),
    ({"a.csv": b"label,a,b,c,d\nx,9,2,3,4\n,1,2,3,4\n" + b"y,1,2,3,4\n" * 9}, "a label is empty"),
    ({"a.csv": b"1," * 5000}, "more than a label and 64 x 64 pixels"),
    ({"a.png": b"\x89PNG\r\n\x1a\n\0\0"}, "neither .npz nor IDX"),
    ({}, "there is no file"),
]


@pytest.mark.parametrize(("files", "expected"), REFUSED, ids=[text for _, text in REFUSED])
def test_what_cannot_be_used_is_refused_in_a_sentence(
    files: dict[str, bytes], expected: str, tmp_path: Path
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(np.lib.format, "read_array", None)  # what would unpickle is never called
        text = reason(files, tmp_path)
    assert re.search(expected, text), text
    for name in files:
        assert text.startswith(f"{name} cannot be used: ")


class TestLimits:
    def test_nothing_is_unpacked_beyond_the_limit(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(limits, "MOST_BYTES", 100_000)
        packed = gzip.compress(bytes(900_000))
        assert len(packed) < 10_000
        assert "unpacks to more than" in reason({"a.gz": packed}, tmp_path)
        file = io.BytesIO()
        np.savez_compressed(file, x=np.zeros((5_000, 8, 8), np.uint8), y=np.zeros(5_000, np.uint8))
        assert "would unpack to more than" in reason({"a.npz": file.getvalue()}, tmp_path)
        assert "larger than" in reason({"a.csv": bytes(100_001)}, tmp_path)

    def test_an_archive_of_very_many_files_is_not_opened(self, tmp_path: Path) -> None:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for i in range(12_000):
                archive.writestr(f"{'long' * 10}{i}.npy", b"")
        assert "its list of files is far too long" in reason({"a.npz": file.getvalue()}, tmp_path)

    @pytest.mark.parametrize("path", ["none.npz", "folder", "bad\0name"])
    def test_paths_that_are_none(self, path: str, tmp_path: Path) -> None:
        (tmp_path / "files" / "folder").mkdir(parents=True)
        text = reason(str(tmp_path / "files" / path), tmp_path / "home")
        assert "cannot be used: " in text

    def test_a_large_file_is_not_read(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(limits, "MOST_BYTES", 10)
        (tmp_path / "a.npz").write_bytes(npz(x=X, y=Y))
        assert "larger than" in reason(tmp_path / "a.npz", tmp_path / "home")


FACTS = [
    *({"parts": [0, 30, 30]}, {"digest": "x"}, {"pixel_max": 0}, {"pixel_max": math.inf}),
    *({"class_names": ["a", "b", "x"]}, {"image_shape": [6, 4]}, {"is_inverted": True}),
]


class TestWhatIsKept:
    @pytest.fixture
    def name(self, tmp_path: Path) -> str:
        return add_dataset(npz(x=X, y=Y), "Très *jolis* signes", data_home=tmp_path)

    def test_its_name_is_made_of_what_it_is_called_and_of_what_it_is(
        self, name: str, tmp_path: Path
    ) -> None:
        assert is_own_name(name)
        assert name.startswith("own-tres-jolis-signes-")
        assert dataset_info(name, tmp_path).title == "Très *jolis* signes"
        other = add_dataset(npz(x=X, y=Y[::-1]), "Très *jolis* signes", data_home=tmp_path)
        assert other[:-8] == name[:-8] and other != name

    def test_the_same_again_is_kept_once(self, name: str, tmp_path: Path) -> None:
        before = compact_path(tmp_path, name).stat().st_mtime_ns
        assert add_dataset(npz(y=Y, x=X), "Très *jolis* signes", data_home=tmp_path) == name
        assert compact_path(tmp_path, name).stat().st_mtime_ns == before
        assert len(own_datasets(tmp_path)) == 1

    def test_it_is_in_the_menu_behind_the_named_ones(self, name: str, tmp_path: Path) -> None:
        assert dataset_names(tmp_path)[-1] == name
        info = own_datasets(tmp_path)[name]
        assert (info.n_classes, info.image_shape, info.noun) == (3, SHAPE, "picture")
        dataset = load_dataset(name, data_home=tmp_path)
        sizes = (len(dataset.x_train), len(dataset.x_validation), len(dataset.x_test))
        assert sizes == (info.n_train, info.n_validation, info.n_test)
        assert is_cached(name, tmp_path) and not info.needs_fetch

    def test_one_that_has_gone_is_told_in_a_sentence(self, name: str, tmp_path: Path) -> None:
        remove_dataset(name, tmp_path)
        assert not list((tmp_path / "neuralscope").iterdir())
        assert own_datasets(tmp_path) == {} and known_dataset(name, tmp_path) is None
        assert not is_cached(name, tmp_path)
        with pytest.raises(DataUnavailable, match="tres-jolis-signes is not on this computer any"):
            load_dataset(name, data_home=tmp_path)

    def test_a_damaged_one_is_not_loaded(self, name: str, tmp_path: Path) -> None:
        path = compact_path(tmp_path, name)
        content = bytearray(path.read_bytes())
        content[200] ^= 1
        path.write_bytes(content)
        with pytest.raises(DataUnavailable, match=r"is damaged.*Add its file again"):
            load_dataset(name, data_home=tmp_path)

    @pytest.mark.parametrize("text", ["", "{}", "[]", '{"parts": [1, 2]}', "\ud800", "[" * 9999])
    def test_a_damaged_record_is_no_data_set(self, text: str, name: str, tmp_path: Path) -> None:
        record = compact_path(tmp_path, name).with_suffix(".json")
        record.write_bytes(text.encode("utf-8", "surrogatepass"))
        assert own_datasets(tmp_path) == {}
        with pytest.raises(DataUnavailable, match="tres-jolis-signes is damaged: add its file"):
            dataset_info(name, tmp_path)

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this platform has no named pipes")
    @pytest.mark.parametrize("suffix", [".npy", ".json"])
    def test_a_pipe_in_its_place_is_not_waited_for(
        self, suffix: str, name: str, tmp_path: Path
    ) -> None:
        path = compact_path(tmp_path, name).with_suffix(suffix)
        path.unlink()
        os.mkfifo(path)
        with pytest.raises(DataUnavailable, match="damaged"):
            load_dataset(name, data_home=tmp_path)

    @pytest.mark.parametrize("fact", FACTS)
    def test_a_record_must_fit_together(self, fact: Any, name: str, tmp_path: Path) -> None:
        record = compact_path(tmp_path, name).with_suffix(".json")
        record.write_text(json.dumps(json.loads(record.read_text()) | fact))
        assert own_datasets(tmp_path) == {}

    def test_where_nothing_can_be_kept_it_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "home").touch()  # a file where the folder should be
        with pytest.raises(DataError, match="mine cannot be kept in "):
            add_dataset(npz(x=X, y=Y), "mine", data_home=tmp_path / "home")

    def test_a_record_that_cannot_be_written_leaves_no_data_set(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(path: Path) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(own, "replacing", full)
        with pytest.raises(DataError, match="No space left"):
            add_dataset(npz(x=X, y=Y), "mine", data_home=tmp_path)
        assert own_datasets(tmp_path) == {}
        assert not [path for path in tmp_path.rglob("*") if path.is_file()]

    def test_it_is_never_fetched(self, name: str, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="one that is fetched"):
            start_fetch(name, data_home=tmp_path)

    @pytest.mark.parametrize("name", ["own-a-1234", "own-../x-12345678", "mnist", "own--12345678"])
    def test_other_names_are_none(self, name: str, tmp_path: Path) -> None:
        assert not is_own_name(name)
        with pytest.raises(DataError, match="is no data set of your own"):
            remove_dataset(name, tmp_path)
