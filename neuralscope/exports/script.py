"""A network as a Python script: a few dozen lines of NumPy that hold it and predict with it.

Names come from people and files, so they enter the script as literals only: whatever they hold,
it is data and never code.
"""

from __future__ import annotations

import base64
from typing import BinaryIO

from neuralscope.exports.trained import Trained, last_network
from neuralscope.runs import Store

ACTIVATIONS = {
    "relu": "lambda z: np.maximum(z, 0)",
    "leaky_relu": "lambda z: np.maximum(z, z * np.float32(0.01))",
    "tanh": "np.tanh",
    "sigmoid": "lambda z: (np.tanh(z / 2) + 1) / 2",
}
"""Each activation in one line of NumPy."""

TEMPLATE = '''\
"""A neural network that reads pictures, written by NeuralScope. It needs NumPy only.

    python {file_name} pictures.npy

The file holds pictures of shape (n, {height}, {width}) or (n, {n_features}), pixels from 0 to
{pixel_max}.
Or import it and call predict_proba(pictures).
"""

import base64
import sys

import numpy as np

RUN = {run_id}
NAME = {name}
SIZES = {sizes}  # units of each layer: pixels, hidden layers, classes
CLASSES = {class_names}
PIXEL_MAX = {pixel_max}  # full ink; 0 is paper
ACTIVATIONS = [  # one for each hidden layer
{activations}]


def layers():
    """Yield the weight (in, out) and bias (out,) of each layer, from the text at the end."""
    numbers = np.frombuffer(base64.b64decode(PARAMETERS), "<f4")
    for n_in, n_out in zip(SIZES, SIZES[1:]):
        weight, bias, numbers = np.split(numbers, [n_in * n_out, (n_in + 1) * n_out])
        yield weight.reshape(n_in, n_out), bias


def predict_proba(pictures):
    """Return the probability of each class, (n, classes), for pictures as they are shipped."""
    a = np.asarray(pictures, np.float32).reshape(-1, SIZES[0]) / np.float32(PIXEL_MAX)
    for i, (weight, bias) in enumerate(layers()):
        z = a @ weight + bias
        a = ACTIVATIONS[i](z) if i < len(ACTIVATIONS) else softmax(z)
    return a


def softmax(z):
    """Turn each row into positive numbers that sum to one; the largest stays the largest."""
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def main():
    """Say what is on each picture of a file, and how sure the network is of it."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for probabilities in predict_proba(np.load(sys.argv[1], allow_pickle=False)):
        best = int(probabilities.argmax())
        share = float(probabilities[best])
        # Only what is certain is 100 %.
        print(f"{{CLASSES[best]}}  {{100.0 if share == 1 else min(100 * share, 99.99):.2f}} %")


# {n_parameters:,} numbers of 4 bytes: weight and bias of the first layer, of the second...
PARAMETERS = "{parameters}"

if __name__ == "__main__":
    main()
'''


def write_python(store: Store, run_id: str, file: BinaryIO) -> None:
    """Write the network of a run as a script that needs nothing but NumPy.

    Raises:
        TransferError: There is no network.
    """
    file.write(script_of(last_network(store, run_id)).encode())


def script_of(trained: Trained) -> str:
    """Return the script that holds a network and predicts with it."""
    network, pictures = trained.network, trained.pictures
    height, width = pictures.image_shape
    return TEMPLATE.format(
        file_name=f"{trained.run.run_id}.py",
        height=height,
        width=width,
        n_features=network.sizes[0],
        pixel_max=pictures.pixel_max,
        run_id=ascii(trained.run.run_id),
        name=ascii(trained.run.name),
        sizes=network.sizes,
        class_names=ascii(list(pictures.class_names)),
        activations="".join(f"    {ACTIVATIONS[name]},\n" for name in network.activation),
        n_parameters=len(network.parameters),
        parameters=base64.b64encode(network.parameters.astype("<f4").tobytes()).decode(),
    )
