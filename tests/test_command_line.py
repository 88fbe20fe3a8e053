"""What may be typed after `cmd:`: words, names, and what makes it another version."""

import pytest

from harness import command_line, planning
from harness.command_line import as_option, parse, split_names
from harness.experiment.vocabulary import Track
from harness.plan import Plan, Request
from harness.registry import UnknownFrameworkError, find


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


LISTS = [
    ("numpy,torch", ("numpy", "torch")),
    ("", ()),
    (" numpy , ,torch, ", ("numpy", "torch")),
    ("numpy,cmd:julia a.jl {folder}", ("numpy", "cmd:julia a.jl {folder}")),
    ("cmd:a {folder}, cmd:b {folder}", ("cmd:a {folder}", "cmd:b {folder}")),
    ("cmd:a 'x, y' {folder},numpy", ("cmd:a 'x, y' {folder}", "numpy")),
    ('cmd:a "x, \\", y" {folder},numpy', ('cmd:a "x, \\", y" {folder}', "numpy")),
    ("cmd:a x\\,y {folder},numpy", ("cmd:a x\\,y {folder}", "numpy")),
    ("cmd:a 'x\\',numpy", ("cmd:a 'x\\'", "numpy")),
    ("cmd:a 'it is open,numpy", ("cmd:a 'it is open,numpy",)),
    ("it's.py,that's.py", ("it's.py", "that's.py")),
]


@pytest.mark.parametrize(("text", "names"), LISTS)
def test_a_list_ends_a_command_at_a_comma_outside_of_quotes(text, names):
    assert split_names(text) == names


@pytest.mark.parametrize(
    "text",
    ["numpy", "cmd:julia a.jl {folder}", "cmd:a 1,2 {folder}", "cmd:a '1,2' \"it's\" {folder}"],
)
def test_an_option_has_the_same_words_again(text):
    (again,) = split_names(as_option(text))
    if text.startswith("cmd:"):
        assert parse(again).words == parse(text).words
    else:
        assert again == text


def test_a_damaged_name_of_a_stored_plan_is_shown_as_it_is():
    assert as_option("cmd:a 'x,") == "cmd:a 'x,"
    assert as_option("cmd:a, b") == "cmd:a, b"


NAMES = [
    ("julia train.jl {folder}", "julia train.jl"),
    ("/opt/julia/bin/julia src/train.jl {folder}", "julia train.jl"),
    ("./prog --out={folder} --lr 0.1", "prog --lr 0.1"),
    ("python 'my script.py' {folder}", "python my script.py"),
    ("python '한글/학습.py' {folder}", "python 학습.py"),
    ("python 'a\tb\x1b[31m' {folder}", "python a b?[31m"),
    (
        "Rscript train.R {folder} " + "--on " * 20,
        "Rscript train.R --on --on --on --on --on --on -…",
    ),
]


@pytest.mark.parametrize(("line", "name"), NAMES)
def test_a_name_is_short_and_readable(line, name):
    assert parse(f"cmd:{line}").name == f"cmd: {name}"


WRONG = [
    ("cmd:", "must name a program"),
    ("cmd:   ", "must name a program"),
    ("cmd:julia train.jl", "must have {folder} among its arguments"),
    ("cmd:{folder}", "must have {folder} among its arguments"),
    ("cmd:julia train.jl {Folder}", "must have {folder} among its arguments"),
    ("cmd:julia 'train.jl {folder}", "quotes must be closed"),
    ("cmd:julia train.jl {folder} \\", "quotes must be closed"),
    ("cmd:make {folder} && ./a {folder}", "no shell runs a command, so '&&'"),
    ("cmd:a {folder} > log", "no shell runs a command, so '>'"),
]


@pytest.mark.parametrize(("text", "words"), WRONG)
def test_what_is_no_command_is_refused(text, words):
    with pytest.raises(UnknownFrameworkError) as caught:
        parse(text)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_path_of_the_folder_takes_its_place_in_every_word(folder):
    command = parse("cmd:a --in={folder}/x '{folder}' b")
    words = command.words_for(folder / "with a space")
    assert words == ["a", f"--in={folder}/with a space/x", f"{folder}/with a space", "b"]


def test_a_command_is_described_as_a_framework_of_one_loop():
    command = parse("cmd: python train.py {folder}")
    assert (command.track, command.loops, command.missing) == (Track.IDENTICAL, ("own",), ())
    assert command.module == "python train.py {folder}"
    assert parse("cmd:no-such-program {folder}").missing == ("no-such-program",)
    with pytest.raises(UnknownFrameworkError, match="has no class"):
        command.load()


def test_the_digest_changes_with_the_command_and_the_files_it_names(folder):
    (folder / "train.py").write_text("import net\n")
    (folder / "net.py").write_text("units = 1")
    (folder / "other.py").write_text("")
    (folder / "conf.toml").write_text("a = 1")
    text = "cmd:python train.py --config=conf.toml {folder}"
    digests = [parse(text).digest]
    assert parse(text).digest == digests[0]
    assert parse(text + " --lr 1").digest != digests[0]
    for name in ("train.py", "net.py", "conf.toml"):
        (folder / name).write_text((folder / name).read_text() + "\n# changed")
        digests.append(parse(text).digest)
    assert len(set(digests)) == 4
    (folder / "other.py").write_text("changed")
    assert parse(text).digest == digests[-1]
    names = {file.name for file in parse(text).files}
    assert names == {"train.py", "net.py", "conf.toml"}


def test_the_digest_is_the_same_on_every_machine(folder, tmp_path_factory, monkeypatch):
    texts = set()
    for _ in range(2):
        place = tmp_path_factory.mktemp("machine")
        monkeypatch.chdir(place)
        (place / "train.py").write_text("x = 1")
        texts.add(parse("cmd:python train.py {folder}").digest)
    assert len(texts) == 1


def plan(*frameworks, **request):
    return planning.make_plan(Request(("xor-mlp",), frameworks, **request))


def test_commands_of_the_same_file_names_are_told_apart_by_their_paths(folder):
    a, b, c = (f"cmd:python {place}/train.py {{folder}}" for place in ("a", "b", "c"))
    names = {trial.framework for trial in plan(a, b, "numpy").trials}
    assert names == {"cmd: python a/train.py", "cmd: python b/train.py", "numpy"}
    assert {trial.framework for trial in plan(c).trials} == {"cmd: python train.py"}
    with pytest.raises(ValueError, match="named twice"):
        plan(a, a)


@pytest.mark.parametrize("loops", [("best",), ("all",), ("fused",)])
def test_a_command_has_one_loop_whatever_is_requested(loops):
    planned = plan("cmd:python a.py {folder}", loops=loops, seeds=3)
    assert [trial.loop for trial in planned.trials] == ["own"] * 3
    assert [proof.dtype for proof in planned.proofs] == ["float64", "float32"]
    assert len({trial.id for trial in (*planned.trials, *planned.proofs)}) == 5


def test_a_stored_plan_has_the_command_and_nothing_to_run():
    planned = plan("cmd:python a.py {folder}")
    stored = Plan.from_json(planned.to_json())
    assert stored.request.frameworks == ("cmd:python a.py {folder}",)
    assert stored.trials == planned.trials
    assert dict(stored.frameworks) == {}


@pytest.mark.parametrize("track", list(Track))
def test_the_registry_knows_no_command(track):
    with pytest.raises(UnknownFrameworkError, match="only where somebody types them"):
        find("cmd:touch {folder}", track)
    assert command_line.is_command("cmd:touch {folder}")
