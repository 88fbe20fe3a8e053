"""TensorBoard's messages and its file format. Imports tensorboardX, so it is imported lazily.

A run is one file of records, each a serialized `Event` between its length and two checksums
(https://www.tensorflow.org/tutorials/load_data/tfrecord). The file is built in memory and
written at once: tensorboardX's own writer starts a thread and a queue for every run.
"""

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from tensorboardX.proto import api_pb2, plugin_hparams_pb2
from tensorboardX.proto.attr_value_pb2 import AttrValue
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.graph_pb2 import GraphDef
from tensorboardX.proto.node_def_pb2 import NodeDef
from tensorboardX.proto.summary_pb2 import HistogramProto, Summary, SummaryMetadata
from tensorboardX.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboardX.record_writer import masked_crc32c

from harness.experiment.image_layers import Conv
from harness.experiment.model import Experiment
from harness.experiment.network import WeightedLayer
from harness.results import write_atomically
from harness.trainer import Array

FILE = "events.out.tfevents.0000000000.samestep"
"""Every run's file has this name, so that writing it again replaces it."""
OPERATIONS = {
    "identity": "Identity",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "relu": "Relu",
    "leaky_relu": "LeakyRelu",
    "elu": "Elu",
    "swish": "Swish",
    "softplus": "Softplus",
    "gelu": "Gelu",
    "gelu_tanh": "GeluTanh",
    "step": "Step",
    "selu": "Selu",
    "softsign": "Softsign",
    "log_sigmoid": "LogSigmoid",
    "mish": "Mish",
    "relu6": "Relu6",
    "hard_tanh": "HardTanh",
    "hard_sigmoid": "HardSigmoid",
    "hard_sigmoid_fifth": "HardSigmoidFifth",
    "hard_swish": "HardSwish",
    "mean_squared_error": "MeanSquaredError",
    "mean_absolute_error": "MeanAbsoluteError",
    "huber": "Huber",
    "log_cosh": "LogCosh",
    "hinge": "Hinge",
    "squared_hinge": "SquaredHinge",
    "binary_cross_entropy": "SigmoidCrossEntropyWithLogits",
    "softmax_cross_entropy": "SparseSoftmaxCrossEntropyWithLogits",
}
"""Name of an activation or a loss to what TensorBoard's graph calls it."""


class Events:
    """The events of one run, in the order they are added."""

    def __init__(self, wall_time: float) -> None:
        self.wall_time = wall_time
        self.events = [Event(wall_time=wall_time, file_version="brain.Event:2")]

    def scalar(self, tag: str, value: float, step: int, train_s: float) -> None:
        """Add one point of a curve, which TensorBoard rounds to float32."""
        self._add(Summary.Value(tag=tag, simple_value=value), step, train_s)

    def histogram(self, tag: str, counts: Array, edges: Array, step: int, train_s: float) -> None:
        """Add (bins,) counts between (bins + 1,) edges. Sums are taken at the bins' middles."""
        filled = np.flatnonzero(counts)
        if len(filled) == 0:
            return
        first, last = filled[0], filled[-1] + 1
        inside = np.asarray(counts[first:last], np.float64)
        limits = np.asarray(edges[first : last + 1], np.float64)
        middles = (limits[:-1] + limits[1:]) / 2
        message = HistogramProto(
            min=limits[0],
            max=limits[-1],
            num=inside.sum(),
            sum=inside @ middles,
            sum_squares=inside @ middles**2,
            bucket_limit=limits[1:].tolist(),
            bucket=inside.tolist(),
        )
        self._add(Summary.Value(tag=tag, histo=message), step, train_s)

    def graph(self, experiment: Experiment) -> None:
        """Add the network as TensorBoard draws it."""
        graph = GraphDef(node=_nodes(experiment)).SerializeToString()
        self.events.append(Event(wall_time=self.wall_time, graph_def=graph))

    def hyperparameters(self, values: Mapping[str, str | float]) -> None:
        """Add a row of the HPARAMS page. Its metrics are the last values of the run's scalars."""
        began = plugin_hparams_pb2.SessionStartInfo(start_time_secs=self.wall_time)
        for name, value in values.items():
            if isinstance(value, str):
                began.hparams[name].string_value = value
            else:
                began.hparams[name].number_value = value
        ended = plugin_hparams_pb2.SessionEndInfo(status=api_pb2.STATUS_SUCCESS)
        for field, message in (("session_start_info", began), ("session_end_info", ended)):
            content = plugin_hparams_pb2.HParamsPluginData(version=0, **{field: message})
            plugin = SummaryMetadata.PluginData(
                plugin_name="hparams", content=content.SerializeToString(deterministic=True)
            )
            metadata = SummaryMetadata(plugin_data=plugin)
            self._add(Summary.Value(tag=f"_hparams_/{field}", metadata=metadata), 0, 0.0)

    def write(self, folder: Path) -> None:
        """Write the run, whole or not at all, in place of an earlier one."""
        records = (_record(event.SerializeToString()) for event in self.events)
        write_atomically(folder / FILE, b"".join(records))

    def _add(self, value: Summary.Value, step: int, train_s: float) -> None:
        self.events.append(
            Event(wall_time=self.wall_time + train_s, step=step, summary=Summary(value=[value]))
        )


WITHOUT_WEIGHTS = {
    "dropout": ("Dropout", "Mul"),
    "max_pool": ("MaxPool", "MaxPool"),
    "average_pool": ("AvgPool", "AvgPool"),
    "flatten": ("Flatten", "Reshape"),
}
"""Title and TensorFlow's operation of layers without weights."""


def _record(content: bytes) -> bytes:
    length = struct.pack("<Q", len(content))
    checksums = [struct.pack("<I", masked_crc32c(part)) for part in (length, content)]
    return length + checksums[0] + content + checksums[1]


def _nodes(experiment: Experiment) -> list[NodeDef]:
    """Return inputs, x W + b and activation of every layer, targets and loss; rows are `-1`."""
    network = experiment.network
    nodes = [_node("inputs", "Placeholder", (), (-1, network.inputs))]
    behind = zip(network.layers, network.row_shapes, network.row_shapes[1:], strict=False)
    for index, (layer, rows, after) in enumerate(behind):
        scope, out = f"layer_{index + 1}", (-1, *after)
        if not isinstance(layer, WeightedLayer):
            title, operation = WITHOUT_WEIGHTS[layer.kind]
            nodes.append(_node(f"{scope}/{title}", operation, (nodes[-1].name,), out))
            continue
        shape = layer.weights_shape(rows)
        product = "Conv2D" if isinstance(layer, Conv) else "MatMul"
        nodes += [
            _node(f"{scope}/weights", "VariableV2", (), shape),
            _node(f"{scope}/{product}", product, (nodes[-1].name, f"{scope}/weights"), out),
        ]
        if layer.bias:
            nodes += [
                _node(f"{scope}/biases", "VariableV2", (), shape[-1:]),
                _node(f"{scope}/Add", "Add", (nodes[-1].name, f"{scope}/biases"), out),
            ]
        name = OPERATIONS[layer.activation]
        nodes.append(_node(f"{scope}/{name}", name, (nodes[-1].name,), out))
    if experiment.loss is not None:
        operation, outputs = OPERATIONS[experiment.loss.name], nodes[-1].name
        labels = experiment.loss.name == "softmax_cross_entropy"
        wanted = (-1,) if labels else (-1, network.outputs)
        nodes += [
            _node("targets", "Placeholder", (), wanted),
            _node(f"loss/{operation}", operation, (outputs, "targets"), ()),
        ]
    return nodes


def _node(name: str, operation: str, inputs: Sequence[str], shape: Sequence[int]) -> NodeDef:
    dimensions = [TensorShapeProto.Dim(size=size) for size in shape]
    shapes = AttrValue.ListValue(shape=[TensorShapeProto(dim=dimensions)])
    return NodeDef(
        name=name, op=operation, input=inputs, attr={"_output_shapes": AttrValue(list=shapes)}
    )
