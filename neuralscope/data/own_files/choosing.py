"""Which files belong together: of a folder, and beside the one that was named."""

from __future__ import annotations

import re
from pathlib import Path

from neuralscope.data.own_files import limits
from neuralscope.data.own_files.archives import unpacked
from neuralscope.data.own_files.limits import Unfit, megabytes
from neuralscope.data.own_files.naming import part_in
from neuralscope.files import read_regular

Content = bytes | Path
"""The content of a file, or where it is."""


def find_files(path: Path) -> dict[str, Path]:
    """Return a file, or the files that belong together, by their names.

    Raises:
        Unfit: There are none, too many, or they cannot be read.
    """
    try:
        if path.is_dir():
            paths = _in_folder(path)
        elif not path.is_file():
            raise Unfit("it is not a file" if path.exists() else "there is no such file")
        else:
            paths = _with_its_labels(path)
        # A packed copy beside the unpacked one counts once.
        if len({_plain(each.as_posix()) for each in paths}) > limits.MOST_FILES:
            raise Unfit(
                f"{len(paths)} files are more than the {limits.MOST_FILES} that belong together"
            )
        if sum(each.stat().st_size for each in paths) > limits.MOST_BYTES:
            raise Unfit(f"it is larger than {megabytes(limits.MOST_BYTES)}")
        if path.is_dir():
            return {each.relative_to(path).as_posix(): each for each in paths}
        return {each.name: each for each in paths}
    except Unfit:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its name is not possible"
        raise Unfit(f"it cannot be read ({reason})") from error


def content_of(content: Content) -> bytes:
    """Return the content of a file.

    Raises:
        OSError: It cannot be read.
        Refused: It is something else than a file, or too large.
    """
    return content if isinstance(content, bytes) else read_regular(content, limits.MOST_BYTES)


def without_twins(files: dict[str, Content]) -> dict[str, Content]:
    """Return files without those that are there unpacked too, as torchvision leaves them.

    Raises:
        Unfit: A file and its packed twin hold different data.
    """
    twins = [name for name in files if name.endswith(".gz") and _plain(name) in files]
    for name in twins:
        if unpacked(content_of(files[name])) != content_of(files[_plain(name)]):
            raise Unfit(f"{name} and {_plain(name)} hold different data. Remove one of them")
    return {name: content for name, content in files.items() if name not in twins}


def _in_folder(folder: Path) -> list[Path]:
    """Return the data files of a folder; if it has none, those of the folders in it."""
    paths = sorted(folder.iterdir())
    found = [each for each in paths if _looks_like_data(each)]
    if not found:  # 'MNIST/raw', 'train' and 'test'
        below = [sorted(each.iterdir()) for each in paths if each.is_dir()]
        found = [each for inside in below for each in inside if _looks_like_data(each)]
    if not found:
        raise Unfit("the folder holds no .npz, CSV or IDX files")
    return found


def _looks_like_data(path: Path) -> bool:
    name = path.name.lower().removesuffix(".gz")
    is_named = name.endswith((".npz", ".csv", ".tsv", ".idx")) or re.search(r"idx\d|ubyte", name)
    return bool(is_named) and path.is_file() and not name.startswith(".")


def _with_its_labels(path: Path) -> list[Path]:
    """Add to a file of images or labels the files that its name says it belongs to."""
    if not re.search("images|labels", path.name):
        return [path]
    family, part = _family(path), part_in(path.name)
    others = [
        each
        for each in sorted(path.parent.iterdir())
        if each.is_file() and _family(each) == family and _plain(each.name) != _plain(path.name)
    ]
    if part not in (None, "train"):  # a test file is not asked for its training files
        others = [each for each in others if part_in(each.name) == part]
    return [path, *others]


def _family(path: Path) -> str:
    """Return what the names of files that belong together share, however they are spelled."""
    name = re.sub(r"[^a-z0-9]+", "-", _plain(path.name.lower()))
    return re.sub(r"images|labels|idx[13]|train|t10k|test", "*", name)


def _plain(name: str) -> str:
    return name.removesuffix(".gz")
