"""What is handed back is read in every form that people write, and refused with what to write."""

import io
import zipfile

import numpy as np
import pytest

from harness.handover import answer
from harness.handover.folder import HandoverError
from tests.handover.conftest import answer_of, experiment_of, hand_back

XOR = experiment_of("xor-mlp", 20)
WHOLE = answer_of(XOR)
LOSSES = WHOLE["losses"]
LINES = [repr(loss) for loss in LOSSES.tolist()]
NUMBERED = [f"{step},{loss}" for step, loss in enumerate(LINES, start=1)]
AFTER_1 = {name: array for name, array in WHOLE.items() if "step_1/" in name}
W1, W2 = "parameters_after_step_1/weights_1", "parameters_after_step_1/weights_2"


def put(folder, name, content):
    """Write text, bytes or an array into the answer."""
    file = folder / "answer" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, np.ndarray):
        np.save(file, content, allow_pickle=True)
    else:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())


def losses_of(folder):
    losses = answer.read(folder, XOR).parts.losses
    return losses if isinstance(losses, dict) else dict(enumerate(losses.tolist(), start=1))


FORMS = [
    ("losses.csv", "\n".join(LINES)),
    ("losses.txt", "\r\n".join(["loss", *LINES, ""])),
    ("losses.CSV", "\ufeff" + "\n\n".join(LINES)),
    ("losses.Csv", "# of my loop\n" + ", ".join(LINES)),
    ("losses.npy", LOSSES),
    ("losses.csv", "\n".join(["step,loss", *NUMBERED])),
    ("losses.csv", "\n".join(f"{i}\t{loss}" for i, loss in enumerate(LINES))),
    ("losses.csv", "; ".join(LINES).replace("e", "D")),
    ("losses.npy", LOSSES[:, np.newaxis]),
    ("losses.npy", LOSSES.astype(">f8")),
    ("losses.npy", LOSSES.astype(np.longdouble)),
]


@pytest.mark.parametrize(("name", "content"), FORMS, ids=range(len(FORMS)))
def test_losses_in_every_form(export, name, content):
    exported = export("xor-mlp", steps=20)
    put(exported, name, content)
    assert losses_of(exported) == dict(enumerate(LOSSES.tolist(), start=1))


def test_some_losses(export):
    exported = export("xor-mlp", steps=20)
    put(exported, "losses.csv", "\n".join(NUMBERED[::5]))
    assert losses_of(exported) == {step: LOSSES[step - 1] for step in (1, 6, 11, 16)}
    put(exported, "losses.csv", "\n".join(LINES[:7]))
    assert len(losses_of(exported)) == 7


@pytest.mark.parametrize("separator", ["/", "_"])
def test_an_archive(export, separator):
    exported = export("xor-mlp", steps=20)
    hand_back(exported, {name.replace("/", separator): array for name, array in WHOLE.items()})
    parts = answer.read(exported, XOR).parts
    assert list(parts.parameters) == [0, 1, 2, 20]
    for step, pairs in parts.parameters.items():
        for layer, (W, b) in enumerate(pairs, start=1):
            np.testing.assert_array_equal(W, WHOLE[f"parameters_after_step_{step}/weights_{layer}"])
            np.testing.assert_array_equal(b, WHOLE[f"parameters_after_step_{step}/biases_{layer}"])
    np.testing.assert_array_equal(parts.outputs_before, WHOLE["outputs_before"])


def test_files_and_more(export):
    exported = export("xor-mlp", steps=20)
    for name, array in AFTER_1.items():
        flat = name.replace("/", "_") if "biases" in name else name
        put(exported, f"{flat}.npy", np.asfortranarray(array))
        put(
            exported,
            f"{name.replace('parameters_after_step_1', 'gradients_of_first_batch')}.csv",
            "\n".join(",".join(map(repr, np.atleast_1d(row).tolist())) for row in array),
        )
    put(exported, "outputs_after.csv", "\n".join("1234"))
    put(exported, ".DS_Store", "")
    read = answer.read(exported, XOR)
    assert read.remarks == ()
    np.testing.assert_array_equal(read.parts.parameters[1][0][0], AFTER_1[W1])
    np.testing.assert_array_equal(read.parts.gradients[1][0], AFTER_1[W2])
    np.testing.assert_array_equal(read.parts.outputs_after, [[1], [2], [3], [4]])


def test_float32_stays_float32(export):
    exported = export("xor-mlp", steps=20)
    put(exported, "losses.npy", LOSSES.astype(np.float32))
    assert answer.read(exported, XOR).parts.losses.dtype == np.float32


def test_what_is_not_read_is_said(export):
    exported = export("xor-mlp", steps=20)
    put(exported, "losses.csv", "\n".join(LINES))
    put(exported, "loss.npy", LOSSES)
    put(exported, "notes.md", "mine")
    put(exported, "parameters_after_step1/weights_1.npy", AFTER_1[W1])
    loss, notes, parameters = answer.read(exported, XOR).remarks
    assert "answer/loss.npy: not read" in loss
    assert "Did you mean 'losses'?" in loss
    assert "answer/notes.md: not read; arrays are in .npy, .csv or .txt" in notes
    assert "Did you mean 'parameters_after_step_1/weights_1'?" in parameters


def npy_header(shape):
    stream = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue()


REFUSED = [
    ("losses.csv", "", "has no numbers; write every number with 17 digits"),
    ("losses.csv", "0.5\n0.4\nO.3", "losses.csv, line 3: must be numbers. Got 'O.3'"),
    ("losses.csv", "tensor(0.6931, grad_fn=<Mean>)", "line 1: must be numbers. Got 'tensor"),
    ("losses.csv", "1_000", "line 1: must be numbers"),
    ("losses.csv", "a\nb\n1", "line 2: must be numbers. Got 'b'"),
    ("losses.csv", "1 2\n3", "line 2: must have 2 numbers, as the lines before. Got 1"),
    ("losses.csv", b"\x00\x01\xff", "not a text file"),
    ("losses.csv", "1\n" * 200_000, "too many for the 40 numbers"),
    ("losses.csv", "1,0.5\n21,0.4", "line 2: must begin with the number of a step, 1 to 20"),
    ("losses.csv", "1,0.5\n1,0.4", "line 2: must begin with the number of a step"),
    ("losses.csv", "0,0.5\n20,0.4", "a step, 0 to 19, each once. Got 20"),
    ("losses.csv", "1,0.5\nnan,0.4", "each once. Got nan"),
    ("losses.csv", "1,0.5\ninf,0.4", "each once. Got inf"),
    ("losses.npy", np.zeros(21), "must have 20 numbers.*Got 21; leave out"),
    ("losses.npy", np.zeros((20, 2)), r"Got shape \(20, 2\)"),
    ("losses.npy", np.array([1, None]), "holds Python objects .a pickle., which are never read"),
    ("losses.npy", np.zeros(20, bool), "must hold numbers. Got bool"),
    ("losses.npy", np.zeros(20, complex), "must hold numbers. Got complex128"),
    ("losses.npy", np.zeros(20, "f2"), "must hold float64 or float32. Got float16"),
    ("losses.npy", np.zeros(20, [("a", "f8")]), "must hold numbers"),
    ("losses.npy", b"0.5\n0.4", "not a .npy file; write it with numpy.save"),
    ("losses.npy", npy_header((20,)), "damaged. Its header says .* 160 bytes, and 0 follow"),
    ("losses.npy", npy_header((10**12,)), "damaged"),
    ("losses.npy", npy_header((-1,)), "damaged|not a .npy file"),
    ("outputs_before.npy", np.zeros((5, 1)), r"must have shape \(4, 1\). Got \(5, 1\)"),
    (f"{W2}.npy", np.zeros((1, 2)), "as PyTorch's Linear has its weight; write the transposed"),
    (f"{W1}.npy", np.zeros((2, 2)), "or none. Missing: biases_1, weights_2, biases_2"),
    ("parameters_after_step_1/weights_3.npy", np.zeros(1), "has no weights_3. It has weights_1"),
    ("parameters_after_step_21/biases_1.npy", np.zeros(2), "the step must be 0 to 20"),
    ("a.npz", b"hello", "not a whole .npz archive"),
    ("readme.md", "", "nothing was handed back(.|\n)*readme.md: not read"),
]


@pytest.mark.parametrize(("name", "content", "words"), REFUSED, ids=range(len(REFUSED)))
def test_what_cannot_be_compared_is_refused(export, name, content, words):
    exported = export("xor-mlp", steps=20)
    put(exported, name, content)
    with pytest.raises(HandoverError, match=words) as error:
        answer.read(exported, XOR)
    assert str(error.value).startswith(f"{exported}/answer")


def test_one_thing_twice(export):
    exported = export("xor-mlp", steps=20)
    put(exported, "losses.csv", "\n".join(LINES))
    hand_back(exported, {"losses": LOSSES})
    with pytest.raises(HandoverError, match="'losses': is in answer/losses"):
        answer.read(exported, XOR)


def test_an_archive_that_unpacks_to_much(export):
    exported = export("xor-mlp", steps=20)
    with zipfile.ZipFile(exported / "answer.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("losses.npy", b"\0" * 10_000_000)
    with pytest.raises(HandoverError, match="has 10,000,000 bytes, too many for the 40 numbers"):
        answer.read(exported, XOR)


def test_an_archive_of_pickles(export):
    exported = export("xor-mlp", steps=20)
    hand_back(exported, {"losses": np.array([{}, None])})
    with pytest.raises(HandoverError, match="never read"):
        answer.read(exported, XOR)


def test_nothing_at_all(export):
    with pytest.raises(HandoverError, match="nothing was handed back"):
        answer.read(export("xor-mlp", steps=20), XOR)


STATED = [("train_s.csv", "0.25\n"), ("train_s.txt", "2.5e-1"), ("train_s.npy", np.array(0.25))]


@pytest.mark.parametrize(("name", "content"), STATED, ids=[name for name, _ in STATED])
def test_a_program_may_state_its_training_time(export, name, content):
    folder = export("xor-mlp")
    put(folder, "losses.csv", "0.7\n" * 8)
    put(folder, name, content)
    read = answer.read(folder, experiment_of("xor-mlp"))
    assert (read.stated_train_s, read.remarks) == (0.25, ())


@pytest.mark.parametrize("content", ["0", "-1", "nan", "inf", "1 2", "1\n2\n"])
def test_a_stated_time_is_one_number_above_zero(export, content):
    folder = export("xor-mlp")
    put(folder, "train_s.csv", content)
    with pytest.raises(HandoverError, match=r"train_s\.csv: must be one number above 0"):
        answer.read(folder, experiment_of("xor-mlp"))


def test_a_time_alone_is_no_answer(export):
    folder = export("xor-mlp")
    put(folder, "train_s.csv", "1")
    with pytest.raises(HandoverError, match="nothing was handed back"):
        answer.read(folder, experiment_of("xor-mlp"))
