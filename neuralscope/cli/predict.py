"""`predict`: which digit is on a picture, by a weights file."""

from __future__ import annotations

import argparse
import contextlib
import math
from typing import TYPE_CHECKING, Any

from neuralscope.cli.parser import Command, add_json
from neuralscope.cli.printing import print_json, print_table
from neuralscope.cli.status import DONE, Mistake
from neuralscope.cli.status_line import say
from neuralscope.cli.words import one_line, percent

if TYPE_CHECKING:
    from neuralscope.data import Recipe
    from neuralscope.data.ink import Ink
    from neuralscope.engine import Network


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("weights", metavar="WEIGHTS", help="a weights file (.npz)")
    parser.add_argument(
        "images",
        metavar="IMAGE",
        nargs="+",
        help="a picture of one digit (PNG or JPEG), dark on light or light on dark",
    )
    add_json(parser)


def _run(options: argparse.Namespace) -> int:
    import string

    import numpy as np

    from neuralscope.data.pieces import count_digits
    from neuralscope.data.preparation import is_blot, prepared
    from neuralscope.engine import Network

    network = Network.load(options.weights)
    recipe = _recipe_of(network)
    class_names = _class_names(network)
    are_digits = set(class_names) <= set(string.digits)
    # Every picture is read before the first answer: a mistake in the last one is told at once. No
    # ink is kept: there may be thousands.
    inputs, blots, counts = [], [], []
    for path in options.images:
        ink = _read(path, recipe)
        inputs.append(prepared(ink, recipe))
        blots.append(is_blot(ink, recipe))
        counts.append(count_digits(ink))
    with np.errstate(over="ignore", invalid="ignore"):
        probabilities = network.predict_proba(np.stack(inputs))
    results = []
    for path, each, looks_a_blot, n_digits in zip(
        options.images, probabilities, blots, counts, strict=True
    ):
        if not np.isfinite(each).all():
            raise Mistake(f"{options.weights} does not compute numbers for {path}.")
        if looks_a_blot:
            say(
                f"{path} shows a dot or a blot, with no lines to read. The network must choose one "
                f"of its {len(class_names)} classes all the same.",
                options,
            )
        if n_digits > 1 and are_digits:  # other things may be of several pieces
            say(f"{path} seems to show {n_digits} separate digits; they are read as one.", options)
        results.append(
            {
                "image": path,
                "digit": class_names[int(each.argmax())],
                "probability": each.max(),
                "probabilities": dict(zip(class_names, each.tolist(), strict=True)),
                "separate_digits": n_digits,
            }
        )
    if options.json:
        print_json(results)
    else:
        _print_results(results, class_names, "digit" if are_digits else "class")
    return DONE


def _recipe_of(network: Network) -> Recipe:
    """Return how a picture becomes the network's input.

    The file tells it; files of before it was written down name the data set, on which it can be
    measured; and without that, the shape of the pictures has to do.
    """
    from neuralscope.data import Recipe, is_cached, known_dataset, load_dataset
    from neuralscope.data.recipe import usual_recipe, usual_shape
    from neuralscope.errors import DataError

    n_features = network.sizes[0]
    with contextlib.suppress(DataError):
        recipe = Recipe.from_json(network.metadata.get("recipe"))
        if math.prod(recipe.image_shape) == n_features:
            return recipe
    name, shape = network.metadata.get("dataset"), network.metadata.get("image_shape")
    info = known_dataset(name) if isinstance(name, str) else None
    if info is not None and info.n_features == n_features and is_cached(str(name)):
        return load_dataset(str(name)).recipe
    sides = shape if isinstance(shape, list) and len(shape) == 2 else [0, 0]
    if not all(isinstance(side, int) and side > 0 for side in sides):
        return usual_recipe(usual_shape(n_features))
    height, width = sides
    if height * width != n_features:
        raise Mistake(
            f"The file says that it reads pictures of {height} x {width} pixels, but it takes "
            f"{n_features:,} pixels."
        )
    return usual_recipe((height, width))


def _class_names(network: Network) -> list[str]:
    """Return what each output is called: by the data set that the weights name, else a number."""
    from neuralscope.data import known_dataset

    n_classes = network.sizes[-1]
    name, names = network.metadata.get("dataset"), network.metadata.get("class_names")
    info = known_dataset(name) if isinstance(name, str) else None
    if info is not None and info.n_classes == n_classes:
        return list(info.class_names)
    if isinstance(names, list) and len(names) == len(set(map(str, names))) == n_classes:
        return [one_line(str(each)) for each in names]
    return [str(number) for number in range(n_classes)]


def _read(name: str, recipe: Recipe) -> Ink:
    """Return the ink on a picture. Raises Mistake where there is none."""
    from neuralscope.data.photograph import MOST_BYTES, read_picture
    from neuralscope.errors import DataError
    from neuralscope.files import Refused, read_regular

    try:
        return read_picture(read_regular(name, MOST_BYTES), recipe)
    except DataError as error:
        raise Mistake(f"{name}: {error}") from error
    except FileNotFoundError as error:
        raise Mistake(f"The picture {name} does not exist.") from error
    except Refused as refused:
        raise Mistake(f"The picture {name} cannot be read: {refused}.") from refused
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise Mistake(f"The picture {name} cannot be read: {reason}.") from error


def _print_results(results: list[dict[str, Any]], class_names: list[str], noun: str) -> None:
    if len(results) == 1:
        result = results[0]
        print(
            f"{one_line(result['image'])} shows a {result['digit']} "
            f"({percent(float(result['probability']))})"
        )
        print()
        print_table(
            [(noun, "probability")]
            + [(name, percent(share)) for name, share in result["probabilities"].items()],
            right=(1,),
        )
        return
    rows = [("picture", noun, *class_names)]
    rows += [
        (
            one_line(result["image"]),
            str(result["digit"]),
            *(percent(share, 0).replace(" ", "") for share in result["probabilities"].values()),
        )
        for result in results
    ]
    print_table(rows, right=range(2, 2 + len(class_names)))


COMMAND = Command("tell which digit is on a picture", _add_arguments, _run)
