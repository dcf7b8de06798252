"""The encoder as an ONNX graph of standard operators, over the numbers in `model.safetensors` beside it.

ONNX Runtime maps that file, so that the word vectors (0.38 GB) lie in memory once for all processes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from app.embedding.packaged.model_file import Shape

GRAPH_FILE, WEIGHTS_FILE = "model.onnx", "model.safetensors"
OPSET, IR_VERSION = 20, 9
HIDDEN, POOLED = "last_hidden_state", "sentence_embedding"
MASKED = np.float32(-1e9)


def write_graph(folder: Path, shape: Shape) -> None:
    graph = _Graph(folder / WEIGHTS_FILE)
    mask = graph.node("Cast", ["attention_mask"], to=graph.onnx.TensorProto.FLOAT)
    hidden = _embeddings(graph, shape)
    # 0 where there is a token, far below everything where there is padding.
    absent = graph.node("Sub", [graph.constant(np.float32(1)), graph.unsqueeze(mask, 1, 2)])
    bias = graph.node("Mul", [absent, graph.constant(MASKED)])
    for layer in range(shape.layers):
        hidden = _layer(graph, shape, f"encoder.layer.{layer}", hidden, bias)
    graph.node("Identity", [hidden], output=HIDDEN)
    _pooled(graph, hidden, mask)
    (folder / GRAPH_FILE).write_bytes(graph.serialized(shape.width))
    graph.onnx.checker.check_model(str(folder / GRAPH_FILE), full_check=True)


class _Graph:
    def __init__(self, weights: Path) -> None:
        # Here, since only who converts a model needs it.
        import onnx

        self.onnx: Any = onnx
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self._weights = _places(weights)
        self._known: set[str] = set()

    def node(self, operator: str, inputs: Sequence[str], *, output: str | None = None, **attributes: Any) -> str:
        name = output or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(operator, inputs, [name], **attributes))
        return name

    def constant(self, value: Any) -> str:
        array = np.asarray(value)
        name = f"constant_{array.dtype}_{'_'.join(map(str, array.reshape(-1)))}"
        if name not in self._known:
            self._known.add(name)
            self.initializers.append(self.onnx.numpy_helper.from_array(array, name))
        return name

    def unsqueeze(self, name: str, *axes: int) -> str:
        return self.node("Unsqueeze", [name, self.constant(np.array(axes))])

    def weight(self, name: str) -> str:
        if name not in self._known:
            self._known.add(name)
            self.initializers.append(self._external(name))
        return name

    def linear(self, name: str, value: str) -> str:
        transposed = self.node("Transpose", [self.weight(f"{name}.weight")], perm=[1, 0])
        return self.node("Add", [self.node("MatMul", [value, transposed]), self.weight(f"{name}.bias")])

    def layer_norm(self, name: str, value: str, epsilon: float) -> str:
        inputs = [value, self.weight(f"{name}.weight"), self.weight(f"{name}.bias")]
        return self.node("LayerNormalization", inputs, axis=-1, epsilon=epsilon)

    def serialized(self, width: int) -> bytes:
        helper, kinds = self.onnx.helper, self.onnx.TensorProto
        describe = helper.make_tensor_value_info
        inputs = [describe(name, kinds.INT64, ["batch", "tokens"]) for name in ("input_ids", "attention_mask")]
        outputs = [
            describe(POOLED, kinds.FLOAT, ["batch", width]),
            describe(HIDDEN, kinds.FLOAT, ["batch", "tokens", width]),
        ]
        graph = helper.make_graph(self.nodes, "multilingual-e5-small", inputs, outputs, self.initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        serialized: bytes = model.SerializeToString()
        return serialized

    def _external(self, name: str) -> Any:
        kinds = self.onnx.TensorProto
        dimensions, offset, length = self._weights[name]
        tensor = kinds(name=name, data_type=kinds.FLOAT, dims=dimensions, data_location=kinds.EXTERNAL)
        for key, value in {"location": WEIGHTS_FILE, "offset": offset, "length": length}.items():
            tensor.external_data.add(key=key, value=str(value))
        return tensor


def _places(safetensors: Path) -> dict[str, tuple[list[int], int, int]]:
    """Of each tensor its dimensions, and where in the file it begins and how long it is."""
    with safetensors.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
    header.pop("__metadata__", None)
    return {
        name: (entry["shape"], 8 + size + entry["data_offsets"][0], entry["data_offsets"][1] - entry["data_offsets"][0])
        for name, entry in header.items()
    }


def _embeddings(graph: _Graph, shape: Shape) -> str:
    zero, one = graph.constant(np.array([0])), graph.constant(np.array([1]))
    words = graph.node("Gather", [graph.weight("embeddings.word_embeddings.weight"), "input_ids"])
    tokens = graph.node("Shape", ["input_ids"], start=1, end=2)
    positions = graph.node("Slice", [graph.weight("embeddings.position_embeddings.weight"), zero, tokens])
    kind = graph.node("Slice", [graph.weight("embeddings.token_type_embeddings.weight"), zero, one])
    added = graph.node("Add", [graph.node("Add", [words, positions]), kind])
    return graph.layer_norm("embeddings.LayerNorm", added, shape.epsilon)


def _layer(graph: _Graph, shape: Shape, name: str, hidden: str, bias: str) -> str:
    attended = graph.linear(f"{name}.attention.output.dense", _attention(graph, shape, name, hidden, bias))
    hidden = graph.layer_norm(
        f"{name}.attention.output.LayerNorm", graph.node("Add", [hidden, attended]), shape.epsilon
    )
    inner = graph.node("Gelu", [graph.linear(f"{name}.intermediate.dense", hidden)])
    outer = graph.linear(f"{name}.output.dense", inner)
    return graph.layer_norm(f"{name}.output.LayerNorm", graph.node("Add", [hidden, outer]), shape.epsilon)


def _attention(graph: _Graph, shape: Shape, name: str, hidden: str, bias: str) -> str:
    head = shape.width // shape.heads
    split = graph.constant(np.array([0, 0, shape.heads, head]))

    def heads(which: str, order: list[int]) -> str:
        projected = graph.linear(f"{name}.attention.self.{which}", hidden)
        return graph.node("Transpose", [graph.node("Reshape", [projected, split])], perm=order)

    query, key, value = heads("query", [0, 2, 1, 3]), heads("key", [0, 2, 3, 1]), heads("value", [0, 2, 1, 3])
    scores = graph.node("Mul", [graph.node("MatMul", [query, key]), graph.constant(np.float32(head**-0.5))])
    weights = graph.node("Softmax", [graph.node("Add", [scores, bias])], axis=-1)
    mixed = graph.node("Transpose", [graph.node("MatMul", [weights, value])], perm=[0, 2, 1, 3])
    return graph.node("Reshape", [mixed, graph.constant(np.array([0, 0, shape.width]))])


def _pooled(graph: _Graph, hidden: str, mask: str) -> None:
    """The mean over tokens that are no padding, L2-normalised."""
    one = graph.constant(np.array([1]))
    total = graph.node("ReduceSum", [graph.node("Mul", [hidden, graph.unsqueeze(mask, 2)]), one], keepdims=0)
    mean = graph.node("Div", [total, graph.node("ReduceSum", [mask, one], keepdims=1)])
    graph.node("LpNormalization", [mean], output=POOLED, axis=-1, p=2)
