"""What may be wrong with dropout: its masks, its scale, the way back, and prediction."""

from collections.abc import Iterator

from harness.experiment.network import Dropout
from harness.parity.estimates import Case
from harness.parity.hypotheses import NETWORK, PREDICT, Hypothesis
from harness.parity.switches import DropoutScale, Switches

MASKS = (
    "Batches.masks: of every step and row, 1 where a number is kept, its bit j % 8 of byte j // 8"
)
SCALES = "Task.network: dropout layers with rate and form"
INVERTED: dict[DropoutScale, str] = {
    "1": "kept numbers are not divided by 1 - rate in training",
    "1 / (1 - rate)^2": "kept numbers are divided by 1 - rate twice",
    "1 / rate": "kept numbers are divided by the rate, not by 1 - rate",
    "1 - rate": "kept numbers are multiplied by 1 - rate in training, not divided",
    "rate": "kept numbers are multiplied by the rate in training, not divided by 1 - rate",
}
CLASSIC: dict[DropoutScale, str] = {
    "1 / (1 - rate)": "kept numbers are divided by 1 - rate in training, as inverted dropout does",
    "1 - rate": "kept numbers are multiplied by 1 - rate in training, not in prediction alone",
}


def dropout_hypotheses(case: Case) -> Iterator[Hypothesis]:
    """Yield the mistakes of a network with dropout layers, the plainest first."""
    layers = case.experiment.network.dropout_layers
    if not layers or case.experiment.training is None:
        return
    yield from _missing(case)
    yield from _scales(layers)
    yield from _masks(case)
    words = "the way back does not go through the masks: dropped numbers have a gradient"
    yield Hypothesis(words, MASKS, Switches(dropout_slope="one"))
    yield Hypothesis(words, MASKS, Switches(dropout_slope="scale"))
    if any(layer.form == "inverted" for layer in layers):
        words = "the way back through dropout lacks the division by 1 - rate"
        yield Hypothesis(words, SCALES, Switches(dropout_slope="mask"))


def _missing(case: Case) -> Iterator[Hypothesis]:
    words = "nothing is dropped in training"
    yield Hypothesis(words, MASKS, Switches(masks="none"))
    yield Hypothesis(words, MASKS, Switches(masks="none", prediction_scale="1"))
    network = case.experiment.network
    if len(network.dropout_layers) > 1:
        for place, layer in enumerate(network.layers):
            if isinstance(layer, Dropout):
                words = f"dropout layer {place + 1} is missing"
                yield Hypothesis(words, NETWORK, Switches(dropout_missing=place))


def _scales(layers: tuple[Dropout, ...]) -> Iterator[Hypothesis]:
    forms = {layer.form for layer in layers}
    if forms == {"inverted"}:
        words = "dropout is classic, not inverted: it scales in prediction, not in training"
        classic = Switches(dropout_scale="1", prediction_scale="1 - rate")
        yield Hypothesis(words, SCALES, classic)
        for scale, words in INVERTED.items():
            yield Hypothesis(words, SCALES, Switches(dropout_scale=scale))
        words = "predict multiplies by 1 - rate, too"
        yield Hypothesis(words, PREDICT, Switches(prediction_scale="1 - rate"))
        words = "predict divides by 1 - rate, too"
        yield Hypothesis(words, PREDICT, Switches(prediction_scale="1 / (1 - rate)"))
    if forms == {"classic"}:
        words = "dropout is inverted, not classic: it scales in training, not in prediction"
        inverted = Switches(dropout_scale="1 / (1 - rate)", prediction_scale="1")
        yield Hypothesis(words, SCALES, inverted)
        for scale, words in CLASSIC.items():
            yield Hypothesis(words, SCALES, Switches(dropout_scale=scale))
        words = "predict does not multiply by 1 - rate"
        yield Hypothesis(words, PREDICT, Switches(prediction_scale="1"))
        words = "predict multiplies by the rate, not by 1 - rate"
        yield Hypothesis(words, PREDICT, Switches(prediction_scale="rate"))


def _masks(case: Case) -> Iterator[Hypothesis]:
    words = "what should be kept is dropped, and the other way round"
    yield Hypothesis(words, MASKS, Switches(masks="flipped"))
    words = "the bits of each byte of a mask are read from the most significant one"
    yield Hypothesis(words, MASKS, Switches(masks="reversed bits"))
    yield Hypothesis("it takes the masks of the step before", MASKS, Switches(masks="previous"))
    words = "it takes the masks of the first step of a call in all of its steps"
    yield Hypothesis(words, MASKS, Switches(masks="first step"), is_of_calls=True)
    words = "all rows of a batch have the mask of the first"
    yield Hypothesis(words, MASKS, Switches(masks="first row"))
    widths = case.experiment.network.dropout_widths
    if len(widths) > 1 and widths == widths[::-1]:
        words = "dropout layers take each other's masks"
        yield Hypothesis(words, MASKS, Switches(masks="swapped"))
