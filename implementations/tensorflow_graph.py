"""The TensorFlow adapter, without Keras.

Loops: `idiomatic` is the loop of TensorFlow 1: a graph, a session, and `Session.run` with a
`feed_dict` per batch, by way of `tf.compat.v1`. `stepwise` is one call of a `tf.function` per
batch. `fused` is a whole segment in one XLA program, which takes the data, a plan of fixed size
and the number of steps at run time: one executable, compiled once, serves every segment.
"""

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from harness.trainer import (
    SGD,
    Adadelta,
    Adam,
    Array,
    Batches,
    Conv,
    Dense,
    DeviceUnavailableError,
    Dropout,
    Momentum,
    Nesterov,
    Operands,
    Parameters,
    StepTrainer,
    Task,
)
from implementations.tensorflow_images import convolved, image_layer
from implementations.tensorflow_losses import losses_of_rows, weighted, weights_of_rows
from implementations.tensorflow_updates import (
    clipped,
    constrained,
    corrections,
    memory_of,
    penalty_of,
    updated,
)

v1 = tf.compat.v1

PLANNED_STEPS, PLANNED_ROWS = 8_192, 65_536
"""The largest plan of the fused program, in steps and in rows, but at least 16 steps.

The plan is copied whole for every segment, so it must not be large. A longer segment is run in
pieces.
"""


SELU_SCALE, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717
"""The constants of Klambauer et al. (2017), section 2."""


class TensorflowTrainer(StepTrainer):
    """Variables, gradients by `tf.GradientTape` or `tf.gradients`, and XLA."""

    loops = ("idiomatic", "stepwise", "fused")
    layer_kinds = ("dense", "dropout", "conv", "max_pool", "average_pool", "flatten")

    def __init__(self, task: Task) -> None:
        tf.config.experimental.enable_tensor_float_32_execution(False)
        self.task = task
        self.steps_planned = min(PLANNED_STEPS, max(16, PLANNED_ROWS // task.batch_size))
        self.target_device = _device(task.device)
        self.device, self.precision = _device_and_precision(self.target_device, task.dtype)
        on_cpu = self.target_device == "/CPU:0"
        self.blas = "Eigen, oneDNN (TensorFlow)" if on_cpu else "cuBLAS (TensorFlow)"
        self.by_products = on_cpu and task.loop == "fused"
        self.trains = not (task.loss is None or task.optimizer is None or task.targets is None)
        if task.loss is not None and task.optimizer is not None:
            self.loss, self.rule = task.loss, task.optimizer
        if task.loop == "idiomatic":
            self._build_graph()
            return
        with tf.device(self.target_device):
            self._start(task.parameters)
            self.inputs = tf.constant(task.inputs)
            self.targets = tf.constant(task.targets) if self.trains else None
        self.predict_compiled = tf.function(self._forward, jit_compile=True, autograph=False)
        self.step_compiled = tf.function(self._gathered_step, jit_compile=True, autograph=False)
        self.segment_compiled = tf.function(self._segment, jit_compile=True, autograph=False)
        self.segment: Callable[..., tf.Tensor] | None = None

    # ------------------------------------------------------------ start

    def _start(self, start: Parameters) -> None:
        """Make variables of parameters, optimizer state and steps done."""
        self.layers = [[tf.Variable(v) for v in pair if v is not None] for pair in start]
        self.variables = [v for layer in self.layers for v in layer]
        rule = self.task.optimizer
        of_rule = [() if rule is None else memory_of(rule, v) for v in self.variables]
        self.memory = [[tf.Variable(values) for values in memory] for memory in of_rule]
        self.steps_done = tf.Variable(tf.zeros((), self.task.dtype))

    def _build_graph(self) -> None:
        """Make the graph of a training step, and a session that holds the variables."""
        task, graph = self.task, tf.Graph()
        with graph.as_default(), tf.device(self.target_device):
            self._start(task.parameters)
            self.x = v1.placeholder(task.dtype, (None, task.network.inputs))
            widths = task.network.dropout_widths
            self.masks = [v1.placeholder("uint8", (None, -(-width // 8))) for width in widths]
            self.z = self._forward(self.x)
            if self.trains:
                assert task.targets is not None
                self.y = v1.placeholder(task.targets.dtype, (None, *task.targets.shape[1:]))
                self.rate = v1.placeholder(task.dtype, ())
                trained = self._forward(self.x, self.masks) if self.masks else self.z
                loss, penalty = self._losses_of_batch(trained, self.y, tf.shape(self.x)[0])
                self.loss_of_batch = loss if penalty is None else loss + penalty
                gradients = self._gradients(
                    self.loss_of_batch,
                    loss,
                    penalty,
                    lambda value: tf.gradients(value, self.variables),
                )
                self.train = self._train_operation(gradients)
            initialize = v1.global_variables_initializer()
        self.session = v1.Session(graph=graph)
        self.session.run(initialize)

    # ------------------------------------------------------------ loss and update

    def _forward(self, x: tf.Tensor, masks: Sequence[tf.Tensor] = ()) -> tf.Tensor:
        """Return logits or values; masks are those of a step, none in prediction."""
        of_layers = iter(masks)
        network = self.task.network
        for layer, shape, values in zip(
            network.layers, network.row_shapes, self.layers, strict=False
        ):
            match layer:
                case Dropout():
                    x = _drop(layer, x, next(of_layers) if masks else None)
                case Dense() | Conv():
                    weights, *biases = values
                    if isinstance(layer, Conv):
                        z = convolved(layer, x, shape, weights, self.by_products)
                    else:
                        z = tf.matmul(x, weights)
                    x = _activate(layer, tf.nn.bias_add(z, biases[0]) if biases else z)
                    if isinstance(layer, Conv):
                        x = tf.reshape(x, (-1, math.prod(layer.output_shape(shape))))
                case _:
                    x = image_layer(layer, x, shape, self.by_products)
        return x

    def _loss(self, z: tf.Tensor, y: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
        """Return the protocol's loss from logits. Rows beyond `size` weigh nothing."""
        loss = self.loss
        rows, weights = losses_of_rows(loss, z, y), weights_of_rows(loss, z, y)
        if weights is not None:
            return weighted(loss, rows, weights, size)
        if self.task.has_short_batch and self.task.loop != "idiomatic":
            rows = tf.where(tf.range(tf.shape(rows)[0]) < size, rows, tf.zeros_like(rows))
            total = tf.reduce_sum(rows)
            return total / tf.cast(size, z.dtype) if loss.batch == "mean" else total
        return tf.reduce_mean(rows) if loss.batch == "mean" else tf.reduce_sum(rows)

    def _penalty(self, size: tf.Tensor) -> tf.Tensor:
        size = tf.cast(size, self.task.dtype)
        return penalty_of(self.task.l2, self.task.l1, self.variables, size)

    def _clipped(self, gradients: list[tf.Tensor]) -> list[tf.Tensor]:
        clipping = self.task.clipping
        return gradients if clipping is None else clipped(clipping, gradients)

    def _gradients(
        self,
        whole: tf.Tensor,
        loss: tf.Tensor,
        penalty: tf.Tensor | None,
        of: Callable[[tf.Tensor], list[tf.Tensor | None]],
    ) -> list[tf.Tensor]:
        """Return the gradients of the loss with its penalties, clipped."""
        clipping = self.task.clipping
        if penalty is None or clipping is None or clipping.includes_penalty is not False:
            return self._clipped(of(whole))
        pairs = zip(self._clipped(of(loss)), of(penalty), strict=True)
        return [g if more is None else g + more for g, more in pairs]

    def _losses_of_batch(
        self, z: tf.Tensor, y: tf.Tensor, size: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Return the loss and the penalty, None without one."""
        plain = self.task.l2 is None and self.task.l1 is None
        return self._loss(z, y, size), None if plain else self._penalty(size)

    def _update(self, gradients: list[tf.Tensor], rate: tf.Tensor) -> tf.Operation:
        """Assign what follows step t, counted from 1, to parameters and optimizer state."""
        t = self.steps_done + 1
        corrected = corrections(self.rule, t)
        old = [(w, *memory) for w, memory in zip(self.variables, self.memory, strict=True)]
        new = [
            updated(self.rule, w, g, tuple(memory), rate, t, corrected)
            for (w, *memory), g in zip(old, gradients, strict=True)
        ]
        if self.task.max_norm is not None:
            new = [(constrained(self.task.max_norm, w), *memory) for w, *memory in new]
        assigned = [self.steps_done.assign(t)]
        for variables, values in zip(old, new, strict=True):
            assigned += [v.assign(value) for v, value in zip(variables, values, strict=True)]
        return tf.group(*assigned)

    def _train_operation(self, gradients: list[tf.Tensor]) -> tf.Operation:
        """Return the operation of a step, by the library's optimizer if it has the rule.

        Constants are tensors, because the library would round floats to float32.
        """
        rule, rate, dtype = self.rule, self.rate, self.task.dtype
        optimizer = None
        match rule:
            case SGD():
                optimizer = v1.train.GradientDescentOptimizer(rate)
            case Momentum() | Nesterov() if not rule.rate_inside_velocity:
                nesterov = isinstance(rule, Nesterov)
                momentum = tf.constant(rule.momentum, dtype)
                optimizer = v1.train.MomentumOptimizer(rate, momentum, use_nesterov=nesterov)
            case Adam(form="epsilon_hat"):
                constants = (rule.beta1, rule.beta2, rule.epsilon)
                optimizer = v1.train.AdamOptimizer(
                    rate, *(tf.constant(c, dtype) for c in constants)
                )
            case Adadelta():
                rho, epsilon = tf.constant(rule.rho, dtype), tf.constant(rule.epsilon, dtype)
                optimizer = v1.train.AdadeltaOptimizer(rate, rho, epsilon)
        if optimizer is None:
            return self._update(gradients, rate)
        update = optimizer.apply_gradients(zip(gradients, self.variables, strict=True))
        max_norm = self.task.max_norm
        if max_norm is None:
            return update
        with tf.control_dependencies([update]):
            return tf.group(
                *(w.assign(constrained(max_norm, w.read_value())) for w in self.variables)
            )

    def _step(
        self,
        x: tf.Tensor,
        y: tf.Tensor,
        size: tf.Tensor,
        rate: tf.Tensor,
        masks: tuple[tf.Tensor, ...],
    ) -> tf.Tensor:
        """Update once. Return the loss before the update."""
        with tf.GradientTape(persistent=True) as tape:
            loss, penalty = self._losses_of_batch(self._forward(x, masks), y, size)
            whole = loss if penalty is None else loss + penalty
        gradients = self._gradients(
            whole, loss, penalty, lambda value: tape.gradient(value, self.variables)
        )
        self._update(gradients, rate)
        return whole

    def _gathered_step(
        self,
        x: tf.Tensor,
        y: tf.Tensor,
        rows: tf.Tensor,
        size: tf.Tensor,
        rate: tf.Tensor,
        *masks: tf.Tensor,
    ) -> tf.Tensor:
        """Do the same on the rows of a batch, or on all rows if `rows` is empty."""
        if rows.shape[0]:
            x, y = tf.gather(x, rows), tf.gather(y, rows)
        return self._step(x, y, size, rate, masks)

    def _segment(
        self,
        x: tf.Tensor,
        y: tf.Tensor,
        plan: tuple[tf.Tensor, ...],
        steps: tf.Tensor,
    ) -> tf.Tensor:
        """Run the plan's first `steps` steps. Return the losses."""
        rows, sizes, rates, *masks = plan

        def body(step: tf.Tensor, losses: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            loss = self._gathered_step(
                x, y, rows[step], sizes[step], rates[step], *(of_layer[step] for of_layer in masks)
            )
            return step + 1, tf.tensor_scatter_nd_update(losses, [[step]], [loss])

        _, losses = tf.while_loop(
            lambda step, losses: step < steps, body, (tf.constant(0), tf.zeros_like(rates))
        )
        return losses

    # ------------------------------------------------------------ loops

    def advance(self, batches: Batches) -> Array:
        """Train. Reading the losses and the count of steps waits for the device."""
        if self.task.loop == "idiomatic":
            return self._advance_idiomatic(batches)
        run = self._advance_fused if self.task.loop == "fused" else self._advance_stepwise
        with tf.device(self.target_device):
            losses = list(run(batches))
            self.steps_done.numpy()
            return np.concatenate([loss.numpy() for loss in losses])[: len(batches)]

    def _advance_idiomatic(self, batches: Batches) -> Array:
        inputs, targets, losses = self.task.inputs, self.task.targets, []
        assert targets is not None
        x, y = inputs, targets
        for step, rate in enumerate(batches.learning_rates):
            if batches.rows is not None:
                rows = batches.rows[step, : batches.sizes[step]]
                x, y = inputs[rows], targets[rows]
            feed = {self.x: x, self.y: y, self.rate: rate}
            for mask, of_layer in zip(self.masks, batches.masks, strict=True):
                feed[mask] = of_layer[step, : batches.sizes[step]]
            _, loss = self.session.run((self.train, self.loss_of_batch), feed_dict=feed)
            losses.append(loss)
        return np.array(losses)

    def _advance_stepwise(self, batches: Batches) -> Iterator[tf.Tensor]:
        for first in range(0, len(batches), self.steps_planned):
            plan = [tf.unstack(tf.constant(v)) for v in self._planned(batches, first)]
            # the function for these shapes: `tf.function` would look for it in every call
            step = self.step_compiled.get_concrete_function(
                self.inputs, self.targets, *(values[0] for values in plan)
            )
            yield tf.stack([step(self.inputs, self.targets, *v) for v in zip(*plan, strict=True)])

    def _advance_fused(self, batches: Batches) -> Iterator[tf.Tensor]:
        for first in range(0, len(batches), self.steps_planned):
            values = self._planned(batches, first)
            steps = tf.constant(len(values[0]))
            plan = tuple(tf.constant(_padded(each, self.steps_planned)) for each in values)
            if self.segment is None:  # as in `_advance_stepwise`
                self.segment = self.segment_compiled.get_concrete_function(
                    self.inputs, self.targets, plan, steps
                )
            yield self.segment(self.inputs, self.targets, plan, steps)

    def _planned(self, batches: Batches, first: int) -> tuple[Array, ...]:
        """Return (rows, sizes, rates, *masks) of a piece; rows are empty where a step takes all."""
        stop = first + self.steps_planned
        rows = np.zeros((len(batches), 0), np.int32) if batches.rows is None else batches.rows
        rates = batches.learning_rates.astype(self.task.dtype)
        return tuple(each[first:stop] for each in (rows, batches.sizes, rates, *batches.masks))

    # ------------------------------------------------------------ out

    def parameters(self) -> Parameters:
        """Return copies in the contract's layout."""
        if self.task.loop == "idiomatic":
            layers = self.session.run(self.layers)
        else:
            layers = [[v.numpy() for v in layer] for layer in self.layers]
        return [
            (np.array(v[0]), np.array(v[1]) if len(v) > 1 else None) if v else () for v in layers
        ]

    def matrix_products(self, operands: Operands) -> Callable[[int], None]:
        """Return the products in one XLA program.

        Every round needs a number of the round before. Otherwise XLA would see that all rounds
        are the same and compute one.
        """
        with tf.device(self.target_device):
            values = [tf.constant(v) for layer in operands for v in layer]
            start = _products(values)

        @tf.function(jit_compile=True, autograph=False)
        def run(values: list[tf.Tensor], products: list[tf.Tensor], times: tf.Tensor) -> tf.Tensor:
            def body(step: tf.Tensor, *carried: tf.Tensor) -> tuple[tf.Tensor, ...]:
                number = carried[len(values)][0, 0]
                changed = [
                    tf.tensor_scatter_nd_update(v, [[0, 0]], [number])
                    for v in carried[: len(values)]
                ]
                return (step + 1, *changed, *_products(changed))

            first = (tf.constant(0), *values, *products)
            return tf.while_loop(lambda step, *_: step < times, body, first)

        def multiply(times: int) -> None:
            with tf.device(self.target_device):
                run(values, start, tf.constant(times))[-1].numpy()

        return multiply

    def predict(self, inputs: Array) -> Array:
        """Return logits or values."""
        outputs: Array
        if self.task.loop == "idiomatic":
            outputs = self.session.run(self.z, feed_dict={self.x: inputs})
        else:
            with tf.device(self.target_device):
                outputs = self.predict_compiled(tf.constant(inputs)).numpy()
        return outputs


def _products(values: list[tf.Tensor]) -> list[tf.Tensor]:
    """Return x W and x^T d of every layer, and d W^T of all except the first."""
    products = []
    for index in range(0, len(values), 3):
        x, weights, d = values[index : index + 3]
        products += [tf.matmul(x, weights), tf.matmul(x, d, transpose_a=True)]
        if index > 0:
            products.append(tf.matmul(d, weights, transpose_b=True))
    return products


def _padded(values: Array, steps: int) -> Array:
    """Return the values with zeros behind them, `steps` long."""
    padded = np.zeros((steps, *values.shape[1:]), values.dtype)
    padded[: len(values)] = values
    return padded


def _drop(layer: Dropout, x: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
    """Return what a dropout layer makes of x, with the bits of a mask or in prediction."""
    if mask is None:
        return x if layer.prediction_scale == 1 else x * layer.prediction_scale
    bits = tf.bitwise.right_shift(mask[:, :, tf.newaxis], np.arange(8, dtype=np.uint8))
    bits = tf.bitwise.bitwise_and(bits, tf.constant(1, tf.uint8))
    kept = tf.reshape(bits, (-1, 8 * mask.shape[1]))[:, : x.shape[1]]
    return x * (tf.cast(kept, x.dtype) * layer.training_scale)


def _activate(layer: Dense | Conv, z: tf.Tensor) -> tf.Tensor:
    match layer.activation:
        case "identity":
            return z
        case "sigmoid":
            return tf.sigmoid(z)
        case "tanh":
            return tf.tanh(z)
        case "relu":
            return tf.nn.relu(z)
        case "leaky_relu":
            # tf.nn.leaky_relu has its slope in float32
            return tf.where(z > 0, z, layer.slope * z)
        case "elu":
            if layer.alpha == 1:
                return tf.nn.elu(z)
            return tf.where(z > 0, z, layer.alpha * tf.nn.elu(z))
        case "swish":
            return tf.nn.silu(z)
        case "softplus":
            return tf.nn.softplus(z)
        case "gelu":
            # tf.nn.gelu has its constants in float32, which is 5e-9 off in float64
            return 0.5 * z * (1 + tf.math.erf(z * math.sqrt(0.5)))
        case "gelu_tanh":
            k = math.sqrt(2 / math.pi)
            return 0.5 * z * (1 + tf.tanh(k * (z + 0.044715 * z * z * z)))
        case "step":
            return tf.cast(z > 0, z.dtype)
        case "selu":
            # the gradient of tf.nn.selu is that of positive z at 0, except in XLA
            below = SELU_ALPHA * tf.nn.elu(z)
            return SELU_SCALE * tf.where(z > 0, z, below)
        case "softsign":
            return tf.nn.softsign(z)
        case "log_sigmoid":
            return tf.math.log_sigmoid(z)
        case "mish":
            return z * tf.tanh(tf.nn.softplus(z))
        case "relu6":
            return tf.nn.relu6(z)
        case "hard_tanh":
            return _clipped(z, -1, 1)
        case "hard_sigmoid":
            return tf.nn.relu6(z + 3) / 6
        case "hard_sigmoid_fifth":
            return _clipped(0.2 * z + 0.5, 0, 1)
        case "hard_swish":
            return z * tf.nn.relu6(z + 3) / 6
    raise ValueError(f"activation {layer.activation!r} is not known here")


def _clipped(z: tf.Tensor, low: float, high: float) -> tf.Tensor:
    """Return z between low and high, with a gradient of 0 at both; tf.clip_by_value's is 1."""
    inside = tf.logical_and(z > low, z < high)
    return tf.where(inside, z, tf.clip_by_value(tf.stop_gradient(z), low, high))


def _device(name: str) -> str:
    if name != "cpu":
        if tf.config.list_physical_devices("GPU"):
            return "/GPU:0"
        if name == "cuda":
            raise DeviceUnavailableError("TensorFlow sees no CUDA device")
    return "/CPU:0"


def _device_and_precision(device: str, dtype: str) -> tuple[str, str]:
    """Return both in words."""
    if device == "/CPU:0":
        return "cpu", dtype
    gpu = tf.config.list_physical_devices("GPU")[0]
    name = tf.config.experimental.get_device_details(gpu).get("device_name", "GPU")
    return f"cuda:0 {name}", f"{dtype}, TF32 off"
