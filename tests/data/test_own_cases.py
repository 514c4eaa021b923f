"""Files as other programs leave them: pandas, Kaggle, torchvision, Excel with European settings.

Each of the files in `cases` stands for a kind; what they should be read as is written down here.
"""

from __future__ import annotations

import gzip
import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuralscope.data import add_dataset, load_dataset, own_datasets
from neuralscope.data.own_files.reading import Pictures, read_files, read_test_files
from neuralscope.errors import DataError, UnclearLabel

CASES = Path(__file__).parent / "cases"


def read(name: str, **options: Any) -> Pictures:
    return read_files(CASES / name, **options)


@pytest.mark.parametrize(
    ("name", "n", "classes", "notes"),
    [
        ("int_headers_y_last.csv", 24, "0 1 2", ["label: column 65 'y', 3 classes"]),
        ("digit_header_int.csv", 24, "0 1 2", ["label: column 1 'digit', 3 classes"]),
        (
            "pandas_index.csv",
            24,
            "0 1 2",
            ["label: column 2 'label', 3 classes", "left out: column 1, an index"],
        ),
        (
            "pandas_unnamed.csv",
            24,
            "0 1 2",
            ["label: column 2 'label', 3 classes", "left out: column 1 'Unnamed: 0', an index"],
        ),
        ("decimal_comma_header.csv", 24, "0 1 2", ["label: column 1 'label', 3 classes"]),
        ("decimal_comma_noheader.csv", 24, "0 1 2", ["label: column 1, 3 classes"]),
        ("sep_line.csv", 24, "0 1 2", ["label: column 1 'label', 3 classes"]),
        ("underscore_numbers.csv", 24, "1_0 1_1 2_0", ["label: column 1 'label', 3 classes"]),
        ("underscore_merge.csv", 24, "0_1 1 2", ["label: column 1 'label', 3 classes"]),
        ("torchvision", 36, "0 1 2", []),
        ("mixed_names", 24, "0 1 2", []),
        ("mixed_names/train-images-idx3-ubyte", 24, "0 1 2", []),
        ("mixed_names/train-labels.idx1-ubyte", 24, "0 1 2", []),
        (
            "kaggle",
            24,
            "0 1 2",
            [
                "train.csv: label: column 1 'label', 3 classes",
                "left out: sample_submission.csv (it has no pixels)",
                "left out: test.csv (it has 64 pixels and no label: this looks like a test file "
                "without labels)",
            ],
        ),
        (
            "pixels_in_one_cell.csv",
            45,
            "0 1 2",
            [
                "label: column 1 'emotion', 3 classes (the only column that is not a pixel)",
                "split: as column 3 'Usage' says",
            ],
        ),
        (
            "same_names",
            135,
            "0 1 2",
            [
                "test/data.csv: label: column 1 'label', 3 classes",
                "train/data.csv: label: column 1 'label', 3 classes",
            ],
        ),
    ],
)
def test_what_is_read_and_what_is_said_of_it(
    name: str, n: int, classes: str, notes: list[str]
) -> None:
    pictures = read(name)
    assert len(pictures.table) == sum(pictures.parts) == n
    assert pictures.class_names == tuple(classes.split())
    assert pictures.image_shape == (8, 8)
    assert list(pictures.notes) == notes


def test_the_pixels_of_all_spellings_are_the_same() -> None:
    plain = {row.tobytes() for row in read("int_headers_y_last.csv").table}
    for name in ("digit_header_int.csv", "pandas_index.csv", "sep_line.csv", "kaggle"):
        assert {row.tobytes() for row in read(name).table} == plain
    comma = {row.tobytes() for row in read("decimal_comma_header.csv").table}
    assert {row.tobytes() for row in read("decimal_comma_noheader.csv").table} == comma
    assert any(row.startswith(bytes([237, 26, 15])) for row in comma)  # 0,93; 0,10; 0,06


def test_the_part_that_a_column_names_is_kept() -> None:
    n_train, n_validation, n_test = read("pixels_in_one_cell.csv").parts
    assert n_validation == 9  # PublicTest; a test part is drawn from the others
    assert n_train + n_test == 36


def test_where_two_columns_can_be_the_label_a_person_is_asked() -> None:
    name = "binary_label_last_noheader.csv"
    with pytest.raises(UnclearLabel) as caught:
        read(name)
    assert str(caught.value) == (
        f"{name} cannot be used yet: its label may be column 1 (2 classes: 0, 1) or column 65 "
        "(5 classes: 0, 1, 2, 3, 4). Say which it is."
    )
    assert [number for number, _ in caught.value.columns] == [1, 65]
    last = read(name, label_column=65)
    assert last.class_names == ("0", "1", "2", "3", "4")
    assert last.notes == ("label: column 65, 5 classes (as you said)",)
    assert read(name, label_column="1").class_names == ("0", "1")


def test_a_column_in_a_cell_of_pixels_is_counted_as_in_the_file() -> None:
    content = (CASES / "pixels_in_one_cell.csv").read_bytes().replace(b"Usage", b"mood")
    with pytest.raises(UnclearLabel) as caught:
        read_files({"faces.csv": content})
    assert [number for number, _ in caught.value.columns] == [1, 3]
    assert read_files({"faces.csv": content}, label_column=3).class_names == (
        "PublicTest",
        "Training",
    )
    with pytest.raises(DataError, match=r"column 2 of row 2 is 'x'\. Pixels must be numbers"):
        broken = content.replace(b"237 26 15 4", b"237 26 x 4").replace(b"mood", b"Usage")
        read_files({"faces.csv": broken})


def test_the_only_column_that_is_not_a_pixel_is_the_label() -> None:
    rng = np.random.default_rng(0)
    header = ",".join([*(f"pixel{i}" for i in range(64)), "symbol"])
    body = np.column_stack([rng.integers(0, 100, (120, 64)), np.arange(120) % 4])
    body[:, 0] = 90 + np.arange(120) % 6  # would be a fine label, too
    text = "\n".join([header, *(",".join(map(str, row)) for row in body.tolist())])
    pictures = read_files({"a.csv": text.encode()})
    assert pictures.class_names == ("0", "1", "2", "3")
    assert pictures.notes == (
        "label: column 65 'symbol', 4 classes (the only column that is not a pixel)",
    )


def test_a_test_file_without_labels_alone_is_told_for_what_it_is() -> None:
    with pytest.raises(
        DataError, match=r"test\.csv cannot be used: it has 64 pixels and no label: this looks"
    ):
        read("kaggle/test.csv")


def labelled(labels: list[str], n_each: int = 8) -> bytes:
    """Return a table with a header, so many rows of each label."""
    rng = np.random.default_rng(0)
    rows = [[label, *rng.integers(0, 256, 4).tolist()] for label in labels for _ in range(n_each)]
    return "\n".join(["label,p0,p1,p2,p3", *(",".join(map(str, row)) for row in rows)]).encode()


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["1e1", "10"], ("1e1", "10")),
        (["0_1", "1"], ("0_1", "1")),
        (["01", "1"], ("01", "1")),
        (["2.0", "10.0"], ("2", "10")),
        (["3.000000000000000000e+00", "1.000000000000000000e+01"], ("3", "10")),
        (["-1", "+1"], ("-1", "1")),
        (["0x1", "inf"], ("0x1", "inf")),
        (["7", "A"], ("7", "A")),
    ],
)
def test_labels_are_text_unless_all_are_plain_whole_numbers(
    labels: list[str], classes: tuple[str, ...]
) -> None:
    assert sorted(read_files({"a.csv": labelled(labels)}).class_names) == sorted(classes)


class TestRounding:
    def pictures(self, value: float, others: float = 1.0) -> dict[str, bytes]:
        x = np.zeros((24, 8, 8), np.float64)
        x[:, 2] = others * np.linspace(0, 1, 8)
        x[3, 1, 4] = value
        file = io.BytesIO()
        np.savez(file, x=x, y=np.arange(24) % 3)
        return {"a.npz": file.getvalue()}

    @pytest.mark.parametrize(
        ("value", "others", "kept"),
        [(1.0000001, 1, 255), (-1e-7, 1, 0), (254.9999, 35, 255), (255.0001, 35, 255)],
    )
    def test_of_float32_is_taken_for_what_it_is(
        self, value: float, others: float, kept: int
    ) -> None:
        pictures = read_files(self.pictures(value, others))
        assert pictures.pixel_max == 255
        assert kept in pictures.table[:, 12]

    @pytest.mark.parametrize(
        ("value", "others", "span"),
        [(1.5, 1, "0 to 1.5"), (-0.25, 1, "-0.25 to 1"), (26.75, 35, "0 to 35"), (256, 35, "256")],
    )
    def test_all_beyond_is_refused_with_its_value_and_its_place(
        self, value: float, others: float, span: str
    ) -> None:
        with pytest.raises(DataError) as caught:
            read_files(self.pictures(value, others))
        text = str(caught.value)
        assert f"a pixel is {value:g}: picture 4, row 2, column 5. " in text
        assert span in text


def test_arrays_whose_names_say_nothing_are_told() -> None:
    file = io.BytesIO()
    x = np.arange(240).reshape(30, 2, 4)
    np.savez(file, faces=x, labels=np.arange(30) % 3, mean=x.mean(axis=(0, 1, 2)))
    assert read_files({"a.npz": file.getvalue()}).notes == (
        "images: array 'faces'",
        "left out: array 'mean'",
    )


class TestTwins:
    def test_a_packed_twin_that_differs_is_told(self, tmp_path: Path) -> None:
        folder = tmp_path / "raw"
        shutil.copytree(CASES / "torchvision", folder)
        with gzip.open(folder / "train-labels-idx1-ubyte.gz", "wb") as file:
            file.write((folder / "t10k-labels-idx1-ubyte").read_bytes())
        with pytest.raises(DataError, match=r"hold different data\. Remove one of them"):
            read_files(folder)

    def test_the_folder_above_is_as_good(self, tmp_path: Path) -> None:
        shutil.copytree(CASES / "torchvision", tmp_path / "MNIST" / "raw")
        assert len(read_files(tmp_path / "MNIST").table) == 36


@pytest.mark.parametrize(
    ("file", "title"),
    [("train_only.npz", "train_only"), ("My digits.npz", "My digits"), ("test.npz", "test")],
)
def test_data_is_called_as_its_file_is(file: str, title: str, tmp_path: Path) -> None:
    np.savez(tmp_path / file, x=np.arange(480).reshape(30, 4, 4) % 256, y=np.arange(30) % 3)
    assert read_files(tmp_path / file).title == title


class TestTurning:
    LEFT = np.array([[0, 0, 9], [9, 9, 9]])  # 2 x 3

    def pictures(self) -> Pictures:
        x = np.stack([self.LEFT] * 30).astype(np.uint8)
        x[:, 0, 0] = np.arange(30)
        file = io.BytesIO()
        np.savez(file, x=x, y=np.arange(30) % 3)
        return read_files({"a.npz": file.getvalue()})

    @pytest.mark.parametrize(
        ("orientation", "expected"),
        [
            ("as-is", LEFT),
            ("transpose", LEFT.T),
            ("left", np.rot90(LEFT)),
            ("right", np.rot90(LEFT, 3)),
            ("upside-down", LEFT[::-1, ::-1]),
        ],
    )
    def test_rows_and_columns_go_with_the_picture(self, orientation: str, expected: Any) -> None:
        read = self.pictures()
        turned = read.turned(orientation, invert=False)
        assert turned.image_shape == expected.shape
        first = int(np.flatnonzero(read.table[:, 0] == 0)[0])
        picture = turned.table[first, :-1].reshape(turned.image_shape)
        np.testing.assert_array_equal(picture, expected)
        np.testing.assert_array_equal(turned.table[:, -1], read.table[:, -1])

    def test_ink_and_paper_are_swapped(self) -> None:
        read = self.pictures()
        turned = read.turned("as-is", invert=True)
        np.testing.assert_array_equal(turned.table[:, :-1], 255 - read.table[:, :-1])
        np.testing.assert_array_equal(turned.table[:, -1], read.table[:, -1])

    def test_an_orientation_that_is_none_is_told(self) -> None:
        with pytest.raises(DataError, match="must be one of as-is, transpose, left, right, upside"):
            self.pictures().turned("sideways", invert=False)

    def test_how_it_was_turned_is_kept_and_said(self, tmp_path: Path) -> None:
        np.savez(tmp_path / "a.npz", x=np.arange(180).reshape(30, 2, 3), y=np.arange(30) % 3)
        path, home = tmp_path / "a.npz", tmp_path / "home"
        plain = add_dataset(path, data_home=home)
        name = add_dataset(path, orientation="transpose", invert=True, data_home=home)
        info = own_datasets(home)[name]
        assert info.description == (
            "30 pictures of 3 x 2 pixels in 3 classes, added from a file, rows and columns "
            "swapped, ink and paper swapped."
        )
        assert own_datasets(home)[plain].description.endswith("added from a file.")
        x, turned = (load_dataset(each, data_home=home).x_train for each in (plain, name))
        np.testing.assert_array_equal(
            turned, 255 - x.reshape(-1, 2, 3).swapaxes(1, 2).reshape(len(x), -1)
        )


class TestTestFiles:
    def test_all_of_it_counts_and_classes_may_be_rare(self) -> None:
        content = labelled(["3", "5"], n_each=1)
        pictures = read_test_files({"a.csv": content}, label_column="label")
        assert len(pictures.table) == 2
        assert pictures.class_names == ("3", "5")

    def test_one_class_is_enough(self) -> None:
        assert read_test_files({"a.csv": labelled(["3"])}).class_names == ("3",)

    @pytest.mark.parametrize(
        ("name", "n"),
        [("", 36), ("train-images-idx3-ubyte", 36), ("t10k-images-idx3-ubyte.gz", 12)],
    )
    def test_parts_are_put_together_unless_one_is_named(self, name: str, n: int) -> None:
        assert len(read_test_files(CASES / "torchvision" / name).table) == n


def test_decimal_commas_are_seen_below_blank_pictures_too() -> None:
    rows = (CASES / "decimal_comma_noheader.csv").read_text(encoding="utf-8").splitlines()
    blank = ";".join(["0"] * len(rows[0].split(";")))
    content = "\n".join([blank, blank, *rows]).encode()
    pictures = read_files({"comma.csv": content})
    assert len(pictures.table) == len(rows) + 2


def test_a_label_column_that_a_file_with_packed_pixels_lacks_is_told() -> None:
    with pytest.raises(DataError, match="there is no column 5: it has 3 columns"):
        read("pixels_in_one_cell.csv", label_column="5")
