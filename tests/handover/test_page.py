"""The formulas on the page, run as they stand, are those of the oracle."""

import re
from typing import get_args

import numpy as np
import pytest

from harness.experiment.network import ActivationName
from harness.handover import formulas
from harness.parity.functions import activate
from harness.parity.protocols import every
from harness.parity.reference import Reference
from tests.handover.conftest import experiment_of


def as_python(line, product):
    """`w = w - rate g` with its products written out; what is right of it is a remark."""
    line = re.split(r"\s{3,}", line)[0]
    line = re.sub(r"(?<=[\w.)])\s+(?=[\w(])", f" {product} ", line)
    return line.replace("^", "**").replace(",  ", ";  ")


def updates():
    """A protocol of each update rule and form."""
    found = {}
    for experiment in every().values():
        training = experiment.training
        if training is not None and not training.clipping and not training.max_norm:
            rule = experiment.training.optimizer
            form = getattr(rule, "form", getattr(rule, "rate_inside_velocity", ""))
            form = f"{form}-{getattr(rule, 'maximum', '')}".rstrip("-")
            found.setdefault((rule.name, form), experiment)
    return [pytest.param(e, id=f"{name}-{form}") for (name, form), e in found.items()]


@pytest.mark.parametrize("experiment", updates())
def test_the_update(experiment):
    experiment = experiment.model_copy(update={"constants": "exact"})
    random = np.random.default_rng(0)
    W = random.normal(size=(3, 2))
    oracle = Reference(experiment, [(W, None)], np.zeros((1, 3)), None)
    names = {"w": W, "m": 0.0, "v": oracle.v[0][0], "sqrt": np.sqrt, "rate": 0.05}
    names |= {"u": 0.0, "a": 0.0, "d": 0.0, "p": 1.0, "maximum": np.maximum, "abs": np.abs}
    lines = formulas.update_lines(experiment)
    if experiment.training.optimizer.name == "adagrad":
        start = experiment.training.optimizer.initial_accumulator
        assert f"v starts at {start!r}" in lines[0]
    for t in range(1, 5):
        g = random.normal(size=(3, 2))
        names |= {"g": g, "t": t}
        for line in lines:
            exec(as_python(line, "*"), names)
        oracle._update([(g, None)], 0.05)
        np.testing.assert_allclose(names["w"], oracle.pairs[0][0], rtol=1e-13)


OF_ROWS = {name: each for name, each in every().items() if not each.network.takes_images}


@pytest.mark.parametrize("experiment", OF_ROWS.values(), ids=OF_ROWS)
def test_the_network(experiment):
    random = np.random.default_rng(0)
    network = experiment.network
    x, names, parameters = random.normal(size=(5, network.inputs)), {}, []
    masks = [random.integers(0, 2, (5, width), np.uint8) for width in network.dropout_widths]
    given = iter(masks)
    for number, (layer, shape) in enumerate(zip(network.layers, network.shapes, strict=True), 1):
        if layer.kind == "dropout":
            names[f"m{number}"] = next(given)
            parameters.append(())
            continue
        W, b = random.normal(size=shape), random.normal(size=shape[1:]) if layer.bias else None
        names |= {f"W{number}": W, f"b{number}": b}
        names[layer.activation] = lambda z, layer=layer: activate(layer, z)
        parameters.append((W, b))
    exact = experiment.model_copy(update={"constants": "exact"})
    oracle = Reference(exact, parameters, x, None)
    for other, right in (("training", oracle.predict(x)), ("prediction", oracle.predict(x, masks))):
        values = names | {"x": x}
        for line in formulas.network_lines(exact):
            if not line.endswith(f"in {other}"):
                exec(as_python(line, "@"), values)
        np.testing.assert_allclose(values["outputs"], right)


def test_layers_of_images_are_said_in_words():
    lines = formulas.network_lines(every()["conv-padded"])
    assert "    x[2 i + u - 2, 1 j + v - 1, c] W1[u, v, c, o]," in lines
    assert "z3 = conv(a2, W3) + b3    W3 (1, 2, 3, 4), b3 (4,)" in lines
    assert "a4 = a3                   images (2, 2, 4) as a row, in the order (4, 2, 2)" in lines


SIMPLE = sorted(set(get_args(ActivationName)) - {"identity", "tanh"})


@pytest.mark.parametrize("name", SIMPLE)
def test_the_functions(name):
    from scipy.special import erf

    slope = 0.2 if name == "leaky_relu" else None
    layer = (
        every()["relu-adam"]
        .network.layers[0]
        .model_copy(update={"activation": name, "slope": slope})
    )
    network = every()["relu-adam"].network.model_copy(update={"layers": (layer,)})
    (line,) = formulas.function_lines(every()["relu-adam"].model_copy(update={"network": network}))
    right = re.split(r"; its|, the ", line.partition(" = ")[2].rpartition(" = ")[2])[0]
    right = re.sub(r"\|z\|", "abs(z)", right)
    where = re.fullmatch(r"(.*) where z > 0, else (.*)", right)
    names = {"exp": np.exp, "log": np.log, "sqrt": np.sqrt, "tanh": np.tanh, "erf": erf}
    names |= {"pi": np.pi, "min": min, "max": max, "abs": abs}
    for z in np.linspace(-7, 7, 29):
        text = right if where is None else where[1] if z > 0 else where[2]
        value = eval(as_python(text, "*").replace(";", ","), names | {"z": z})
        assert value == pytest.approx(float(activate(layer, np.array(z))), rel=1e-12), z


def test_every_activation_has_its_formula():
    written_out = {"identity", "leaky_relu", "elu"}
    assert set(formulas.FUNCTIONS) == set(get_args(ActivationName)) - written_out


@pytest.mark.parametrize(
    ("experiment", "words"),
    [
        ("xor-mlp", ["mean over the n rows", "-y log p - (1 - y) log(1 - p)", "raw: no sigmoid"]),
        ("iris-softmax", ["p_k = exp(o_k)", "-log p_t", "raw: no softmax", "all n = 105 rows"]),
        ("small-adam", ["`batch_rows`", "0.001 in all", "1e-08", "no weight decay"]),
        ("diabetes-linear", ["(output - y)^2", "the target of every row"]),
        ("small-momentum", ["v = 0.9 v + g", "w = w - rate v"]),
    ],
)
def test_the_page_says(export, experiment, words):
    page = (export(experiment) / "README.md").read_text()
    assert [word for word in words if word not in page] == []
    prose = [line for line in page.splitlines() if not line.startswith("|")]
    assert max(map(len, prose)) <= 100
    for name in ("losses", "outputs_before", "parameters_after_step_1/weights_1"):
        assert f"`{name}`" in page


@pytest.mark.parametrize("name", [n for n, e in every().items() if e.training is not None])
def test_penalties_and_reductions(name):
    experiment = every()[name]
    loss, l2 = experiment.loss, experiment.training.l2
    lines = formulas.loss_lines(experiment)
    assert max(map(len, lines)) <= 100
    text = "\n".join(lines)
    assert ("mean over the n rows" in text) == (loss.batch == "mean")
    if l2 is not None:
        assert f"{l2.strength!r}{' / 2' * l2.half}{' / n' * l2.per_row} times" in text
        assert ("biases" in text) == (l2.on == "all")


def test_steps_are_those_of_the_protocol(export):
    page = (export("xor-mlp", steps=1) / "README.md").read_text()
    assert "for 1 step in any" in page
    assert "after steps 0 and 1" in page
    assert experiment_of("xor-mlp", 1).steps == 1
