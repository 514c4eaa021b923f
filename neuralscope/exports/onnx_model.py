"""A network as ONNX, which other programs and devices can run (https://onnx.ai/onnx).

    pixels (batch, features) ──> Gemm ──> Relu ──> ... ──> Gemm ──> Softmax ──> probabilities

Input and output are float32; pixels are scaled to [0, 1], and any number of pictures may be asked
about at once. What the pixels and classes mean stands in the model's metadata.
"""

from __future__ import annotations

import json
from typing import Any, BinaryIO

import numpy as np

from neuralscope.engine.activations import LEAK
from neuralscope.errors import TransferError
from neuralscope.exports.trained import Trained, last_network
from neuralscope.runs import Store
from neuralscope.version import __version__

OPERATORS: dict[str, tuple[str, dict[str, Any]]] = {
    "relu": ("Relu", {}),
    "leaky_relu": ("LeakyRelu", {"alpha": LEAK}),
    "tanh": ("Tanh", {}),
    "sigmoid": ("Sigmoid", {}),
}
"""What ONNX calls each activation, and what it has to be told."""

INPUT, OUTPUT = "pixels", "probabilities"

OPSET, FORMAT = 17, 8
"""Versions of 2022 that every runtime since then reads; newer ones would bring us nothing."""

MISSING = "ONNX files need the package onnx: python -m pip install -r requirements.txt"


def write_onnx(store: Store, run_id: str, file: BinaryIO) -> None:
    """Write the network of a run as an ONNX model.

    Raises:
        TransferError: The package that writes it is missing, or there is no network.
    """
    trained = last_network(store, run_id)
    try:
        import onnx
    except ImportError as error:
        raise TransferError(MISSING) from error
    model = _model(trained)
    onnx.checker.check_model(model)
    file.write(model.SerializeToString())


def _model(trained: Trained) -> Any:
    from onnx import TensorProto, helper, numpy_helper

    network = trained.network
    nodes, weights = [], []
    flow = INPUT
    for i, layer in enumerate(network.layers):
        for name, array in ((f"weight_{i}", layer.weight), (f"bias_{i}", layer.bias)):
            weights.append(numpy_helper.from_array(np.ascontiguousarray(array, "<f4"), name))
        nodes.append(helper.make_node("Gemm", [flow, f"weight_{i}", f"bias_{i}"], [f"z_{i}"]))
        flow = f"z_{i}"
        if i < len(network.activation):
            operator, settings = OPERATORS[network.activation[i]]
            nodes.append(helper.make_node(operator, [flow], [f"a_{i}"], **settings))
            flow = f"a_{i}"
    nodes.append(helper.make_node("Softmax", [flow], [OUTPUT], axis=1))
    graph = helper.make_graph(
        nodes,
        "neuralscope",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["batch", network.sizes[0]])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["batch", network.sizes[-1]])],
        weights,
    )
    model = helper.make_model(
        graph,
        producer_name="neuralscope",
        producer_version=__version__,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=FORMAT,
        doc_string=f"{INPUT}: scaled to [0, 1], row by row. {OUTPUT}: one for each class.",
    )
    about = trained.about()
    helper.set_model_props(model, {name: json.dumps(value) for name, value in about.items()})
    return model
