"""Sound files of every kind that the program reads, to be altered."""

from __future__ import annotations

import gzip
import io
import os
import random
import shutil
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.attack import mutations, rooms
from neuralscope.data import add_dataset
from neuralscope.engine import Network
from neuralscope.exports.run_file import write_run
from neuralscope.runs import RunConfig, Store

NAMES = ("Aachen", "Bremen", "Celle", "Dresden")
"""Of the runs in the store; the last has learned data of one's own."""


def prepare(folder: Path) -> Path:
    """Return the folder with all specimens; make it, if that has not been done.

    It holds `store` with finished runs, their `data home`, and the files of `weights`, `runs`,
    `data` and `pictures`.
    """
    if folder.exists():
        return folder
    making = folder.with_name(f"{folder.name}.making")
    shutil.rmtree(making, ignore_errors=True)
    for name in ("weights", "runs", "data", "pictures"):
        (making / name).mkdir(parents=True)
    _weights(making / "weights")
    _data(making / "data")
    _store(making)
    _pictures(making / "pictures")
    making.rename(folder)
    return folder


def _store(folder: Path) -> None:
    os.environ["SCIKIT_LEARN_DATA"] = str(folder / "data home")
    own = add_dataset(folder / "data" / "head.csv", "signs", data_home=folder / "data home")
    configs = (
        RunConfig(dataset="digits", hidden=(8,), epochs=3, seed=1),
        RunConfig(dataset="digits", hidden=(8, 6), epochs=5, seed=2, optimizer="adam", dropout=0.1),
        RunConfig(dataset="digits", hidden=(), epochs=2, seed=3, augmentation="shift"),
        RunConfig(dataset=own, hidden=(6,), epochs=2, seed=4, batch_size=8),
    )
    place = folder / "store"
    for number, (config, name) in enumerate(zip(configs, NAMES, strict=True)):
        with Store(place) as store:
            run_id = store.create(config, name)
        rooms.wait(rooms.train_in_child(place, run_id), 60)
        with Store(place) as store:
            store.set_tags(run_id, ["a", "b c"])
            store.set_notes(run_id, "A note.\nOf two lines.")
            write_run(store, run_id, folder / "runs" / f"{number}.zip")
    (place / "children.log").unlink(missing_ok=True)


def _weights(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for sizes in ((64, 12, 10), (784, 16, 10), (64, 10)):
        network = Network(sizes, activation="relu", rng=rng, dtype=np.float32)
        network.save(folder / f"{'-'.join(map(str, sizes))}.npz")


def _data(folder: Path) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    images = (rng.integers(0, 90, (60, 8, 8)) + 60 * labels[:, None, None]).astype(np.uint8)
    flat = images.reshape(60, 64)
    head = ",".join(["label", *(f"pixel{i}" for i in range(64))])
    rows = [",".join(map(str, [label, *row])) for label, row in zip(labels, flat, strict=True)]
    (folder / "head.csv").write_text("\n".join([head, *rows]) + "\n")
    (folder / "bare.csv").write_text("\n".join(rows) + "\n")
    comma = "\n".join([head, *rows[:40]]).replace(",", ";")
    (folder / "european.csv").write_text(f"sep=;\n{comma}\n")
    (folder / "words.csv").write_text(
        "\n".join(["kind\t" + "\t".join(f"p{i}" for i in range(64))]
                  + ["\t".join(map(str, ["cat dog eel".split()[label], *row]))
                     for label, row in zip(labels, flat, strict=True)])
    )  # fmt: skip
    (folder / "packed.csv.gz").write_bytes(gzip.compress((folder / "head.csv").read_bytes()))
    np.savez(folder / "plain.npz", x=images, y=labels)
    np.savez_compressed(
        folder / "split.npz",
        x_train=flat[:40] / 255.0, y_train=labels[:40].astype("U1"), x_test=flat[40:] / 255.0,
        y_test=labels[40:].astype("U1"), class_names=np.array(["0", "1", "2"]),
    )  # fmt: skip
    (folder / "idx").mkdir()
    pixels = struct.pack(">BBBBIII", 0, 0, 8, 3, 60, 8, 8) + images.tobytes()
    names = struct.pack(">BBBBI", 0, 0, 8, 1, 60) + labels.astype(np.uint8).tobytes()
    (folder / "idx" / "train-images-idx3-ubyte").write_bytes(pixels)
    (folder / "idx" / "train-labels-idx1-ubyte").write_bytes(names)
    (folder / "idxgz").mkdir()
    (folder / "idxgz" / "images-idx3-ubyte.gz").write_bytes(gzip.compress(pixels))
    (folder / "idxgz" / "labels-idx1-ubyte.gz").write_bytes(gzip.compress(names))


def _pictures(folder: Path) -> None:
    gray = np.full((90, 70), 250, np.uint8)
    gray[15:75, 30:40] = 20
    picture = Image.fromarray(gray)
    for mode in ("L", "RGB", "RGBA", "P", "1", "LA", "CMYK"):
        if mode != "CMYK":
            picture.convert(mode).save(folder / f"{mode}.png")
        if mode in ("L", "RGB", "CMYK"):
            picture.convert(mode).save(folder / f"{mode}.jpg")
    Image.fromarray(gray.astype(np.uint16) * 256).save(folder / "deep.png")
    # 25 megapixels of nothing and a stroke: a tenth of a megabyte.
    line = b"\0" + b"\xff" * 2400 + b"\0" * 200 + b"\xff" * 2400
    header = struct.pack(">IIBBBBB", 5000, 5000, 8, 0, 0, 0, 0)
    body = zlib.compress(line * 5000, 9)
    (folder / "vast.png").write_bytes(
        mutations.png([(b"IHDR", header), (b"IDAT", body), (b"IEND", b"")])
    )


def swollen(run_file: bytes, chance: random.Random) -> bytes:
    """Return a run file in which everything fits together, and is far too much of it."""
    with zipfile.ZipFile(io.BytesIO(run_file)) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with np.load(io.BytesIO(entries["measurements.npz"])) as archive:
        arrays = {name: archive[name] for name in archive.files}
    n = chance.choice((50_000, 400_000))
    if chance.random() < 0.7:
        steps = np.arange(n, dtype=np.float64)
        arrays["blocks"] = np.stack([steps + 1, steps, steps + 1], axis=1)
        arrays["lengths"] = np.ones(n, np.int64)
        arrays["losses"] = np.random.default_rng(0).random(n, np.float32)
    else:
        row = arrays["epochs"][-1]
        arrays["epochs"] = np.tile(row, (n, 1))
        arrays["epochs"][:, 0] = np.arange(n)
        arrays["epochs"][:, 1] = np.arange(n) * 40
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    entries["measurements.npz"] = buffer.getvalue()
    return mutations.packed(list(entries.items()))
