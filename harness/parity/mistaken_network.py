"""The oracle's network with mistakes: its forward pass, its loss and its gradients.

It overrides the methods of the plain network where a mistake enters. With every switch off it
computes the same bits as the plain network.
"""

from collections.abc import Iterator

import numpy as np

from harness.experiment.gradients import Clipping
from harness.experiment.image_layers import AveragePool, Conv, Flatten, MaxPool, Shape, Sides
from harness.experiment.losses import Loss, LossOfValues
from harness.experiment.model import Experiment
from harness.experiment.network import Dense, Dropout, Layer, WeightedLayer
from harness.experiment.optimizers import AdamW
from harness.experiment.training import L2
from harness.parameters import as_inputs_first, like, map_arrays, map_biases, outputs_first
from harness.parity.functions import (
    Floats,
    activate,
    jump_at_kinks,
    log_softmax,
    sigmoid,
    softmax,
)
from harness.parity.loss_functions import jump_at_kink
from harness.parity.reference import Mask, Masks, Reference, penalised, sum_of
from harness.parity.reference_images import Pool, matrix, pool_windows, seen, unseen
from harness.parity.reference_updates import Pairs
from harness.parity.switches import PROTOCOL, DropoutScale, Scale, Switches
from harness.trainer import Array, LayerParameters, NoParameters, Parameters


class MistakenNetwork(Reference):
    """The plain network with the mistakes of its switches in forward pass, loss and gradients."""

    def __init__(
        self,
        experiment: Experiment,
        parameters: Parameters,
        inputs: Array,
        targets: Array | None,
        switches: Switches = PROTOCOL,
        dtype: str = "float64",
    ) -> None:
        self.switches, self.rate = switches, 1.0
        self.trains = False
        start = _misread(parameters, switches)
        targets = _other_targets(experiment, targets, switches)
        super().__init__(experiment, start, inputs, targets, dtype)
        if switches.other_loss is not None:
            self.loss = switches.other_loss
        self.statistics = _statistics(np.asarray(inputs, dtype), switches)
        if switches.activation is not None:
            hidden = [_with_activation_of(switches.activation, e) for e in self.layers[:-1]]
            self.layers = (*hidden, self.layers[-1])
        if switches.output is not None:
            self.layers = (*self.layers[:-1], switches.output)
        if switches.no_penalty:
            self.penalties = []
        if self.l1 is not None and switches.other_l1 != "given":
            self.l1 = switches.other_l1
        if self.clipping is not None and switches.other_clipping != "given":
            self.clipping = switches.other_clipping
        if self.max_norm is not None and switches.other_max_norm != "given":
            self.max_norm = switches.other_max_norm
        self.bound_before = self.max_norm if switches.max_norm_first else None
        if switches.max_norm_first:
            self.max_norm = None

    # ------------------------------------------------------------ forward

    def predict(self, inputs: Array, masks: Masks | None = None) -> Floats:
        """Return the outputs (rows, outputs), in the way that the switch `predicts` says."""
        outputs = super().predict(inputs, masks)
        match self.switches.predicts:
            case "reversed":
                return outputs[:, ::-1]
            case "rows reversed":
                return outputs[::-1]
            case "negated":
                return -outputs
            case "probabilities":
                return softmax(outputs) if self._has_classes() else sigmoid(outputs)
            case "log probabilities":
                return log_softmax(outputs) if self._has_classes() else -np.logaddexp(0, -outputs)
        return outputs

    def _has_classes(self) -> bool:
        return self.loss is not None and self.loss.name == "softmax_cross_entropy"

    def _forward(self, X: Floats, masks: Masks | None = None) -> tuple[list[Floats], list[Floats]]:
        """The forward pass on other inputs, with less exact products, or more than one bias."""
        zs: list[Floats] = []
        values = [self._other_inputs(X)]
        given = iter(masks or ())
        stack = zip(self.layers, self.row_shapes, self.pairs, strict=False)
        for layer, shape, entry in stack:
            a = values[-1]
            if isinstance(layer, WeightedLayer):
                W, b = entry
                z = self._product(self._seen(layer, a, shape), matrix(W), forward=True)
                z = z if b is None else z + b * np.asarray(self.switches.bias_factor, self.dtype)
                z = z.reshape(len(a), -1)
                value = self._activate(layer, z)
            elif isinstance(layer, Dropout):
                z = self._dropout_factors(layer, a, None if masks is None else next(given))
                value = a * z
            else:
                z, value = self._of_image(layer, a, shape)
            zs.append(z)
            values.append(value)
        return zs, values

    def _seen(self, layer: WeightedLayer, a: Floats, shape: Shape) -> Floats:
        if not isinstance(layer, Conv) or self.switches.images == "none":
            return super()._seen(layer, a, shape)
        x = seen(layer, a, shape, self._sides(layer, shape))
        return self._kernel_as_read(layer, x)

    def _unseen(self, layer: WeightedLayer, dx: Floats, shape: Shape) -> Floats:
        if not isinstance(layer, Conv) or self.switches.images == "none":
            return super()._unseen(layer, dx, shape)
        return unseen(layer, self._kernel_as_read(layer, dx), shape, self._sides(layer, shape))

    def _kernel_as_read(self, layer: Conv, x: Floats) -> Floats:
        """What kernels see, in the order in which they are read; done twice it is as before."""
        windows = x.reshape(len(x), *layer.kernel, -1)
        if self.switches.images == "kernels turned":
            windows = windows[:, ::-1, ::-1]
        if self.switches.images == "kernels transposed" and layer.kernel[0] == layer.kernel[1]:
            windows = windows.swapaxes(1, 2)
        return windows.reshape(x.shape)

    def _sides(self, layer: Conv, shape: Shape) -> Sides:
        top, bottom, left, right = layer.sides(shape)
        match self.switches.images:
            case "more zeros above":
                return Sides(bottom, top, right, left)
            case "all zeros above":
                return Sides(top + bottom, 0, left + right, 0)
            case "all zeros below":
                return Sides(0, top + bottom, 0, left + right)
        return Sides(top, bottom, left, right)

    def _pool_factors(self, layer: Pool, a: Floats, shape: Shape) -> Floats:
        values = layer.model_dump(exclude={"kind"})
        match self.switches.images:
            case "mean for largest":
                layer = AveragePool(kind="average_pool", **values)
            case "largest for mean":
                layer = MaxPool(kind="max_pool", **values)
        factors = super()._pool_factors(layer, a, shape)
        if isinstance(layer, AveragePool) and self.switches.images == "sum for mean":
            return np.ones_like(factors)
        return factors

    def _pool_slopes(self, layer: Pool, a: Floats, shape: Shape, factors: Floats) -> Floats:
        if not isinstance(layer, MaxPool) or self.switches.images != "every largest":
            return factors
        windows = pool_windows(layer, a, shape)
        slopes = (windows == windows.max(axis=3, keepdims=True)).astype(factors.dtype)
        return np.asarray(slopes)

    def _flattened(self, layer: Flatten, a: Floats, shape: Shape) -> Floats:
        if self.switches.images == "columns first":
            a, shape = _swapped(a, shape), (shape[1], shape[0], shape[2])
        return super()._flattened(self._ordered(layer), a, shape)

    def _unflattened(self, layer: Flatten, da: Floats, shape: Shape) -> Floats:
        if self.switches.images != "columns first":
            return super()._unflattened(self._ordered(layer), da, shape)
        swapped = (shape[1], shape[0], shape[2])
        return _swapped(super()._unflattened(layer, da, swapped), swapped)

    def _ordered(self, layer: Flatten) -> Flatten:
        if self.switches.images != "other order":
            return layer
        is_last = layer.order == "channels_last"
        return layer.model_copy(update={"order": "channels_first" if is_last else "channels_last"})

    def _dropout_factors(self, layer: Dropout, a: Floats, mask: Mask | None) -> Floats:
        switches = self.switches
        missing = switches.dropout_missing
        if missing is not None and self.layers[missing] is layer:
            return np.ones_like(a)
        if mask is None:
            scale = scale_of_dropout(layer, switches.prediction_scale, layer.prediction_scale)
            return np.full_like(a, scale)
        if switches.masks == "none":
            return np.ones_like(a)
        scale = scale_of_dropout(layer, switches.dropout_scale, layer.training_scale)
        factors: Floats = (mask * scale).astype(a.dtype)
        return factors

    def _is_scaled(self, layer: WeightedLayer) -> bool:
        """Whether a layer has the activation of the switches, and its factor."""
        other, *hidden = self.switches.activation, *self.layers[:-1]
        return other is not None and any(layer is each for each in hidden)

    def _activate(self, layer: WeightedLayer, z: Floats) -> Floats:
        a = super()._activate(layer, z)
        if self.switches.activation_scale == 1 or not self._is_scaled(layer):
            return a
        scaled: Floats = a * np.asarray(self.switches.activation_scale, self.dtype)
        return scaled

    def _other_inputs(self, X: Floats) -> Floats:
        switches, image = self.switches, self.experiment.network.image
        if image is not None and switches.images == "images transposed":
            return _swapped(X, image)
        if image is not None and switches.images == "images channels first":
            height, width, channels = image
            images = X.reshape(len(X), channels, height, width).transpose(0, 2, 3, 1)
            return images.reshape(len(X), -1)
        if switches.inputs_where not in ("everywhere", "training" if self.trains else "predict"):
            return X
        mean, std = self.statistics
        scaled: Floats = (X - mean) / std * np.asarray(switches.input_scale, self.dtype)
        return scaled

    def _product(self, a: Floats, b: Floats, forward: bool) -> Floats:
        """The product, of rounded operands where they are."""
        bits, where = self.switches.product_bits, self.switches.products_where
        spared = ("training" in where and not self.trains) or ("forward" in where and not forward)
        if bits is None or spared:
            return a @ b
        return rounded_to(a, bits) @ rounded_to(b, bits)

    # ------------------------------------------------------------ loss and gradients

    def loss_and_gradients(
        self,
        X: Floats,
        y: Array,
        counted: int,
        clipping: Clipping | None = None,
        masks: Masks | None = None,
    ) -> tuple[float, Pairs]:
        """The loss and its gradients, of the rows and by the backward pass of the switches."""
        switches = self.switches
        self.trains = True
        try:
            counted = len(X) if switches.padding else counted
            if switches.softmax_over != "row" or switches.pairs_all:
                X, y = X[:counted], y[:counted]  # padded rows have no part in the others' loss
                masks = None if masks is None else [mask[:counted] for mask in masks]
            loss, gradients = super().loss_and_gradients(X, y, counted, clipping, masks)
        finally:
            self.trains = False
        loss *= self._factor(switches.returned_scale, counted)
        return loss, map_arrays(np.negative, gradients) if switches.climbs else gradients

    def _data_loss(
        self, X: Floats, y: Array, counted: int, masks: Masks | None = None
    ) -> tuple[float, Pairs]:
        """As in the plain network, with the mistakes of the backward pass."""
        zs, values = self._forward(X, masks)
        loss, da = self._output_loss(values[-1], y, counted)
        gradients: Pairs = []
        for index in reversed(range(len(self.pairs))):
            layer, shape = self.layers[index], self.row_shapes[index]
            if not isinstance(layer, WeightedLayer):
                gradients.insert(0, NoParameters())
                da = self._way_back(layer, da, values[index], zs[index], shape)
                continue
            W, b = self.pairs[index]
            delta = (da * self._slope_of(index, zs[index])).reshape(-1, W.shape[-1])
            x = self._seen(layer, values[index], shape)
            dW = self._product(x.T, delta, forward=False).reshape(W.shape)
            of_biases = da.reshape(delta.shape) if self._biases_lack_slope(index) else delta
            db = None if b is None else self._bias_gradient(of_biases)
            gradients.insert(0, like(self.pairs[index], [dW, db]))
            W = self._kernel_of_the_way_back(index, gradients[0], counted)
            da = self._unseen(layer, self._product(delta, matrix(W).T, forward=False), shape)
        return loss, gradients

    def _way_back(
        self, layer: Layer, da: Floats, a: Floats, factors: Floats, shape: Shape
    ) -> Floats:
        if isinstance(layer, Dropout):
            below: Floats = da * self._dropout_slope(layer, factors)
            return below
        return super()._way_back(layer, da, a, factors, shape)

    def _dropout_slope(self, layer: Dropout, factors: Floats) -> Floats:
        match self.switches.dropout_slope:
            case "one":
                return np.ones_like(factors)
            case "mask":
                mask: Floats = (factors != 0).astype(factors.dtype)
                return mask
            case "scale":
                return np.full_like(factors, layer.training_scale)
        return factors

    def _penalty(self, counted: int) -> tuple[float, Pairs | None]:
        """The penalties and their gradients, each in its place; L1 perhaps without its loss."""
        total, gradients = 0.0, map_arrays(np.zeros_like, self.pairs)
        for l2, where in self._penalties_and_places():
            c, w = self._coefficient(l2, counted), penalised(self.pairs, l2.on)
            total += c * sum_of(np.square, w) if where != "gradient" else 0.0
            if where != "loss":
                gradients = map_arrays(np.add, gradients, map_arrays(lambda w, c=c: 2 * c * w, w))
        if self.l1 is not None:
            c = self.l1.coefficient(counted + self.switches.penalty_rows_more)
            w = penalised(self.pairs, self.l1.on)
            total += c * sum_of(np.abs, w) if self.switches.losses != "without penalty" else 0.0
            at_zero = c * self.switches.sign_of_zero
            slopes = map_arrays(lambda w: np.where(w == 0, at_zero, c * np.sign(w)), w)
            if self.l1.on == "weights":
                slopes = penalised(slopes, "weights")
            gradients = map_arrays(np.add, gradients, slopes)
        return total, self._with_l1(gradients)

    def _penalties_and_places(self) -> Iterator[tuple[L2, str]]:
        """Each penalty, and whether it is in the loss returned, in the gradient, or in both."""
        switches = self.switches
        where = "gradient" if switches.losses == "without penalty" else "both"
        yield from ((l2, where) for l2 in self.penalties)
        if switches.penalty is not None:
            yield switches.penalty, switches.penalty_where
        training = self.experiment.training
        if switches.coupled is not None and training and isinstance(training.optimizer, AdamW):
            yield switches.coupled, switches.coupled_where

    def _coefficient(self, l2: L2, counted: int) -> float:
        return l2.coefficient(counted + self.switches.penalty_rows_more)

    def _with_l1(self, gradients: Pairs) -> Pairs:
        if not self.switches.l1:
            return gradients
        signs = penalised(map_arrays(np.sign, self.pairs), "weights")
        return _plus_multiple(gradients, self.switches.l1, signs)

    def _bias_gradient(self, delta: Floats) -> Floats:
        factor = 1.0 if self.switches.bias_by_hand else self.switches.bias_factor
        gradient: Floats = delta.sum(axis=0) * np.asarray(factor, self.dtype)
        return gradient

    def _slope_of(self, index: int, z: Floats) -> Floats:
        layer, is_output = self.layers[index], index == len(self.layers) - 1
        assert isinstance(layer, WeightedLayer)
        if self.switches.slope_missing in ("all", "output" if is_output else "hidden"):
            return np.ones_like(z)
        if self.switches.slope_at_outputs and not is_output:
            return self._slope(layer, activate(layer, z))
        if self.switches.kink:
            return self._slope(layer, z) + self.switches.kink * jump_at_kinks(layer, z)
        return self._slope(layer, z)

    def _slope(self, layer: WeightedLayer, z: Floats) -> Floats:
        slopes = super()._slope(layer, z)
        if self.switches.activation_scale == 1 or not self._is_scaled(layer):
            return slopes
        scaled: Floats = slopes * np.asarray(self.switches.activation_scale, self.dtype)
        return scaled

    def _biases_lack_slope(self, index: int) -> bool:
        is_hidden = index < len(self.layers) - 1
        return is_hidden and self.switches.slope_missing == "hidden biases"

    def _kernel_of_the_way_back(
        self, index: int, gradient: LayerParameters, counted: int
    ) -> Floats:
        """W of the layer; after its own update where that comes too early."""
        W: Floats = self.pairs[index][0]
        if not self.switches.early_kernels:
            return W
        memory = self.t, self.m, self.v, self.u, self.mu_product
        self.t += 1
        alone = map_arrays(np.zeros_like, self.pairs)
        alone[index] = gradient
        for l2, _ in self._penalties_and_places():
            alone = _plus_multiple(
                alone, 2 * self._coefficient(l2, counted), penalised(self.pairs, l2.on)
            )
        step: Floats = self._subtracted(alone, self.rate)[index][0]
        self.t, self.m, self.v, self.u, self.mu_product = memory
        return W - step

    # ------------------------------------------------------------ the loss

    def _output_loss(self, outputs: Floats, y: Array, counted: int) -> tuple[float, Floats]:
        loss, slopes = super()._output_loss(outputs, y, counted)
        scale = np.asarray(self._factor(self.switches.gradient_scale, counted), self.dtype)
        return loss * self._factor(self.switches.loss_scale, counted), slopes * scale

    def _factor(self, scale: Scale, rows: int) -> float:
        outputs = self.experiment.network.outputs
        named = {
            "rows": rows,
            "1/rows": 1 / max(rows, 1),  # the only row may be left out
            "outputs": outputs,
            "1/outputs": 1 / outputs,
        }
        return named[scale] if isinstance(scale, str) else scale

    def _row_weights(self, loss: Loss, outputs: Floats, y: Array, counted: int) -> Floats:
        """The weights of rows (rows, 1), with another divisor of means, or by class."""
        weights, switches = super()._row_weights(loss, outputs, y, counted), self.switches
        if loss.batch == "mean":
            divisor = counted + switches.divisor_more
            divisor = self.experiment.batch_size if switches.divisor == "nominal" else divisor
            weights = weights * np.asarray(counted / divisor, self.dtype)
        if not switches.class_weights:
            return weights
        labels = np.asarray(y).reshape(-1, 1)
        of_rows: Floats = np.asarray(switches.class_weights, self.dtype)[labels]
        if switches.weights_normalised:
            total = counted if loss.batch == "mean" else 1
            of_rows = of_rows * (total / of_rows[:counted].sum())
        return weights * of_rows

    def _losses(self, loss: Loss, z: Floats, y: Array) -> tuple[Floats, Floats]:
        switches = self.switches
        if isinstance(loss, LossOfValues):
            return self._of_values(loss, z, np.asarray(y, self.dtype))
        if loss.name == "softmax_cross_entropy":
            return self._cross_entropy(loss, z, y)
        losses, slopes = super()._losses(loss, z, y)
        if not switches.log_epsilon and not switches.clipped:
            return losses, slopes
        p, y = sigmoid(z), self._targets(loss, z, y)
        (q, dq), (r, dr) = self._in_logarithm(p), self._in_logarithm(1 - p)
        inner = ((1 - y) * dr / r - y * dq / q) * p * (1 - p)
        return -y * np.log(q) - (1 - y) * np.log(r), slopes if switches.by_hand else inner

    def _of_values(self, loss: LossOfValues, a: Floats, y: Floats) -> tuple[Floats, Floats]:
        """A loss of values: of every output with every target, or of another slope at its kink."""
        if self.switches.pairs_all and loss.name == "mean_squared_error":
            return _all_pairs(0.5 if loss.half else 1.0, a, y)
        losses, slopes = super()._losses(loss, a, y)
        if not self.switches.loss_kink:
            return losses, slopes
        return losses, slopes + self.switches.loss_kink * jump_at_kink(loss, a, y)

    def _targets(self, loss: Loss, z: Floats, y: Array) -> Floats:
        """The targets of the loss, smoothed by the switch."""
        t, more = super()._targets(loss, z, y), self.switches.smoothing
        if not more or not loss.takes_logits:
            return t
        classes = z.shape[1] if loss.name == "softmax_cross_entropy" else 2
        smoothed: Floats = (1 - more) * t + more / classes
        return smoothed

    def _cross_entropy(self, loss: Loss, z: Floats, y: Array) -> tuple[Floats, Floats]:
        """-y log q with the softmax and the logarithm of the switches, and its slope by z."""
        switches = self.switches
        if switches.softmax_over != "row":
            return self._softmax_over_more(z, self._targets(loss, z, y))
        if not (switches.softmax_twice or switches.log_epsilon or switches.clipped):
            return super()._losses(loss, z, y)
        t, p = self._targets(loss, z, y), softmax(z)
        if switches.softmax_twice:
            losses: Floats = -(t * log_softmax(p))
            by_p: Floats = softmax(p) - t
        else:
            q, dq = self._in_logarithm(p)
            losses, by_p = -(t * np.log(q)), -t * dq / q
        chained = p * (by_p - (by_p * p).sum(axis=1, keepdims=True))
        return losses, p - t if switches.by_hand else chained

    def _in_logarithm(self, p: Floats) -> tuple[Floats, Floats]:
        """What stands in the logarithm in place of p, and its derivative by p."""
        low = self.switches.clipped
        if low:
            inside = (p > low) & (p < 1 - low)
            return np.clip(p, low, 1 - low), inside.astype(self.dtype)
        return p + self.switches.log_epsilon, np.ones_like(p)

    def _softmax_over_more(self, z: Floats, t: Floats) -> tuple[Floats, Floats]:
        """Softmax cross-entropy whose softmax sums over the whole batch, or over a column."""
        axis = None if self.switches.softmax_over == "batch" else 0
        shifted = z - z.max(axis=axis, keepdims=True)
        log_p = shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))
        chained = np.exp(log_p) * t.sum(axis=axis, keepdims=True) - t
        return -(t * log_p), np.exp(log_p) - t if self.switches.by_hand else chained


def _swapped(a: Floats, shape: Shape) -> Floats:
    """Images with rows and columns swapped."""
    return a.reshape(len(a), *shape).swapaxes(1, 2).reshape(len(a), -1)


def _with_activation_of(other: Dense, layer: Layer) -> Layer:
    """A hidden layer with the activation of another, as that one itself where both are dense."""
    if isinstance(layer, Dense):
        return other
    if not isinstance(layer, WeightedLayer):
        return layer
    changes = {name: getattr(other, name) for name in ("activation", "slope", "alpha")}
    return layer.model_copy(update=changes)


def scale_of_dropout(layer: Dropout, name: DropoutScale, right: float) -> float:
    """Return a scale by its name."""
    rate = layer.rate
    scales = {
        "right": right,
        "1": 1.0,
        "1 - rate": 1 - rate,
        "rate": rate,
        "1 / (1 - rate)": 1 / (1 - rate),
        "1 / (1 - rate)^2": 1 / (1 - rate) ** 2,
        "1 / rate": 1 / rate,
    }
    return scales[name]


def _misread(parameters: Parameters, switches: Switches) -> Parameters:
    """The start as a network with these mistakes takes it."""
    read = list(parameters)
    for index, entry in enumerate(read):
        if entry and switches.transposed in (index, "all"):
            W, *others = entry
            read[index] = like(entry, [as_inputs_first(W.reshape(outputs_first(W.shape))), *others])
    if switches.biases == "given":
        return read
    return map_biases(np.zeros_like if switches.biases == "zero" else lambda _: None, read)


def _other_targets(
    experiment: Experiment, targets: Array | None, switches: Switches
) -> Array | None:
    """The targets as a network with these mistakes reads them."""
    if targets is None or switches.targets == "given":
        return targets
    if "row" in switches.targets:
        return np.roll(targets, -1 if switches.targets == "next row" else 1, axis=0)
    if switches.targets == "flipped":
        return 1 - targets
    if switches.targets == "0 and 1":
        no, yes = experiment.data.numbers_for_no_and_yes
        return (targets - no) / (yes - no)
    shift = 1 if switches.targets == "next class" else -1
    if targets.ndim == 1:
        return (targets + shift) % (int(targets.max()) + 1)
    return np.roll(targets, shift, axis=1)


def _statistics(X: Floats, switches: Switches) -> tuple[Floats | float, Floats | float]:
    """What is taken away from inputs, and what they are divided by."""
    axis = None if switches.inputs == "standardised as a whole" else 0
    if switches.inputs == "given":
        return 0.0, 1.0
    std = X.std(axis=axis)
    return X.mean(axis=axis), 1.0 if switches.inputs == "centred" else np.where(std > 0, std, 1)


def _all_pairs(factor: float, z: Floats, y: Array) -> tuple[Floats, Floats]:
    """The mean squared error of every output with every target, (N, 1) minus (N,)."""
    gaps = z - np.asarray(y, z.dtype).ravel()[np.newaxis, :]
    losses = factor * (gaps**2).mean(axis=1, keepdims=True)
    return losses, 2 * factor * gaps.mean(axis=1, keepdims=True)


def rounded_to(values: Floats, bits: int) -> Floats:
    """Return the values with so many significant bits, the leading one included."""
    mantissa, exponent = np.frexp(values)
    rounded: Floats = np.ldexp(np.round(np.ldexp(mantissa, bits)), exponent - bits)
    return rounded


def _plus_multiple(gradients: Pairs, factor: float, pairs: Pairs) -> Pairs:
    """The gradients plus factor * w."""
    return map_arrays(lambda g, w: g + factor * w, gradients, pairs)
