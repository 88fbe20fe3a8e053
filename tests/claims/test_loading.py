"""Claims as files: the ledger is whole and valid; what is wrong in a user's file is named."""

import pytest

from harness.claims import loading
from harness.claims.claim_plan import claim_runs
from harness.claims.model import Verdict
from harness.experiment.loading import ProtocolError
from tests.claims.builders import make_claim

LEDGER = loading.ledger()


def test_files_are_named_after_their_claims():
    assert {file.stem for file in loading.LEDGER.glob("*.toml")} == set(LEDGER)


@pytest.mark.parametrize("claim", LEDGER.values(), ids=LEDGER)
def test_every_claim_is_registered_whole(claim):
    """What the schema leaves open to users' own claims, the ledger states."""
    assert claim.source.address
    assert claim.group in ("posts", "ledger")
    if claim.not_run:
        assert claim.protocol is None
        return
    assert claim.expected is not None
    assert claim.expected != Verdict.NOT_RUN
    assert claim_runs(claim, every_variant=True)


def test_the_ledger_is_large_enough():
    run = [claim for claim in LEDGER.values() if not claim.not_run]
    assert len(run) >= 40
    assert {"C01", "C02", "C03", "C04", "C05", "C06", "C07", "C08", "C10"} <= set(LEDGER)


def test_names_and_protocols_are_different():
    """Two claims never share a name of rows, in which case one would be judged by the other's."""
    runs = [run for claim in LEDGER.values() for run in claim_runs(claim, every_variant=True)]
    names = [run.experiment.name for run in runs]
    assert len(set(names)) == len(names)


def test_explanations_are_of_claims():
    assert set(loading._tables(loading.EXPLANATIONS)) <= set(LEDGER)


@pytest.mark.parametrize("name", ["C01", "c01"])
def test_ids_in_any_case(name):
    assert loading.load(name).id == "C01"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"number": {"rule": "about"}}, "rule"),
        ({"number": {"published": "97 %"}}, 'write "97" and unit = "percent"'),
        ({"number": {"published": "nan"}}, "as printed"),
        ({"number": {"rule": "rate"}}, "at least 200 many_seeds, or at least 5 seeds .* Got 2"),
        ({"number": {"rule": "range"}}, "needs low, high or both"),
        ({"number": {"low": 0.5}}, "belong to rule 'range'"),
        ({"number": {"on": "twin"}}, "refers to variant 'twin'"),
        ({"number": {"published": "0.1, 0.2"}}, "belong to the metric 'outputs'"),
        ({"seeds": 1}, "spread"),
        ({"seeds": 1, "spread": 0.1}, "spread_from"),
        ({"track": "native"}, "states one solver"),
        ({"number": {"published": "1e2"}}, "as printed"),
        ({"number": {"low": float("nan"), "rule": "range"}}, "finite"),
        ({"number": {"at": -1}}, "or a step from 0 on"),
        ({"number": {"at": 7}}, "a step that is evaluated, or 0 before training. Got 7"),
        ({"number": {"metric": "step_loss", "at": "highest"}}, "at a step or at 'last'"),
        ({"number": {"metric": "validation_accuracy"}}, "needs validation rows; there are none"),
        (
            {"number": {"rule": "rate", "metric": "test_error"}},
            "or test_loss at last",
        ),
        ({"number": {"best_of": 3}}, "best of 3 runs. Got 2"),
        ({"number": {"best_of": 3}, "seeds": 3}, "2 bests of 3 runs, so 6 seeds, .* spread. Got 3"),
        (
            {"number": {"published": "92.0"}},
            '0 to 1 with unit = "fraction"; write unit = "percent"',
        ),
        ({"number": {"published": "1.92"}}, 'write unit = "percent" if it is per cent. Got 1.92'),
        ({"number": {"published": "-0.92"}}, "read it in the source again. Got -0.92"),
        ({"number": {"published": "920.1", "unit": "percent"}}, "0 to 100 .* Got 920.1"),
        ({"number": {"published": "0.92", "unit": "percent"}}, 'write unit = "fraction"'),
        ({"number": {"published": 0.92}}, 'in quotes, so that its digits count: "0.92"'),
        ({"number": {"published": "0,92"}}, 'write a decimal point, "0.92"'),
        ({"number": {"published": "91,64 %"}}, 'write "91.64" and unit = "percent"'),
        ({"number": {"also_printed": ["91 %"]}}, 'also_printed: write "91"'),
        ({"number": {"also_printed": ["91"]}}, "also_printed: test_accuracy is a share"),
        ({"number": {"metric": "test_loss", "published": "-1.2"}}, "never below 0. Got -1.2"),
        (
            {"number": {"metric": "test_loss", "published": "33", "unit": "percent"}},
            "test_loss is a plain number, not per cent",
        ),
        (
            {"number": {"rule": "range", "published": "", "low": 0.9, "high": 0.8}},
            "low: must be at most high. Got low 0.9 and high 0.8",
        ),
        ({"number": {"rule": "range", "published": "", "low": 90}}, 'low: .* unit = "percent"'),
        ({"number": {"rule": "range", "published": "0.7", "low": 0.8}}, "within low and high"),
        ({"number": {"minus": ""}}, "minus itself is 0"),
        ({"number": {"share": "2 of 9"}}, "share: belongs to rule 'rate'"),
        ({"number": {"share": "2/9"}}, 'successes of runs, such as "2 of 9"'),
        ({"seeds": 9, "number": {"rule": "rate", "share": "9 of 2"}}, "at most all"),
        ({"number": {"metric": "outputs"}}, "outputs are judged by 'exact'"),
        ({"number": {"metric": "accuracy"}}, "Did you mean 'test_accuracy'\\?"),
        ({"number": {"at": "best"}}, "Did you mean 'best_validation'\\? Got 'best'"),
        ({"number": {"metric": "epoch_loss", "at": 0}}, "a whole epoch, 1 to 20. Got 0"),
        ({"number": {"metric": "solver_loss"}}, "write epoch_loss"),
        (
            {"number": {"metric": "epochs", "at": "highest", "unit": "number"}},
            "epochs is at 'last'",
        ),
        ({"many_seeds": 200}, "only where all rows are one batch"),
        ({"number": {"rule": "exact"}, "same_test": False}, "write rule 'level'"),
        (
            {
                "spread": 0.1,
                "spread_from": "x",
                "numbers": [
                    {"name": n, "metric": m, "published": "0.9", "rule": "level"}
                    for n, m in (("a", "test_accuracy"), ("b", "test_loss"))
                ],
                "number": {},
            },
            "'b' has another",
        ),
        ({"id": "my claim"}, "id: must be letters, digits and hyphens"),
        ({"seeds": "5"}, "seeds: must be a valid integer"),
        ({"expected": "consistent"}, "Did you mean 'CONSISTENT'\\?"),
        ({"own_data": "kagle-digits"}, "Did you mean 'kaggle-digits'"),
        ({"not_run": "needs dropout"}, "has no protocol or variants"),
        ({"numbers": []}, "needs \\[protocol\\] and \\[\\[numbers\\]\\]"),
        ({"colour": "red"}, "colour"),
        (
            {
                "variants": [
                    {"name": "a", "role": "reading", "why": "x", "changes": {"data.size": 1}}
                ]
            },
            "size",
        ),
        (
            {"variants": [{"name": "a", "role": "reading", "why": "x", "changes": {"date.x": 1}}]},
            "no field of the protocol",
        ),
        (
            {
                "variants": [
                    {
                        "name": "a",
                        "role": "reading",
                        "why": "x",
                        "changes": {"data.scale": "by_255"},
                    }
                ]
            },
            "by_255",
        ),
    ],
)
def test_what_is_wrong_is_named(changes, words):
    with pytest.raises(ProtocolError, match=words):
        make_claim(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"seeds": 6},
        {"seeds": 3, "spread": 0.001, "spread_from": "a cheaper twin"},
        {"seeds": 3, "number": {"rule": "range", "published": "", "low": 0.9}},
    ],
)
def test_a_best_of_three_with_seeds_enough(changes):
    number = {"best_of": 3} | changes.get("number", {})
    assert make_claim(**changes | {"number": number}).numbers[0].best_of == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"colour": "red"},
        {"number": {"colour": "red"}},
        {"number": {"at": "best"}},
        {"number": {"at": [1]}},
        {"number": {"metric": "accuracy"}},
        {"number": {"published": 92}},
        {"number": {"runs": 0}},
        {"number": {"share": "many"}},
        {"source": {"author": "A"}},
        {"variants": [{"name": "A b", "role": "x", "why": "", "changes": {}}]},
        {"numbers": "x"},
        {"seeds": 0.5},
        {"id": "a b"},
    ],
)
def test_messages_are_in_the_language_of_the_file(changes):
    with pytest.raises(ProtocolError) as caught:
        make_claim(**changes)
    foreign = ("Extra inputs", "Input should", "constrained-", "literal[", "Value error", "pattern")
    assert not [word for word in foreign if word in str(caught.value)], caught.value
    assert "numbers.0" not in str(caught.value)


@pytest.mark.parametrize("published", [".8212", "0.8212", "+0.82", "0.939..."])
def test_numbers_as_sources_print_them(published):
    assert make_claim(number={"published": published}).numbers[0].value > 0.8


@pytest.mark.parametrize("name", ["C01", "c01"])
def test_an_own_file_has_an_id_of_its_own(tmp_path, name):
    text = (loading.LEDGER / "C01.toml").read_text().replace('id = "C01"', f'id = "{name}"')
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(ProtocolError, match=f'write another, such as "my-{name}"'):
        loading.load(str(tmp_path / "mine.toml"))
    assert loading.load(str(loading.LEDGER / "C01.toml")).id == "C01"


def test_what_was_found_later_is_added_and_said():
    claim = loading.load("C24")
    assert claim == LEDGER["C24"]
    assert claim.numbers[0].printings == ("0.8951", "0.888")
    assert "Found after the first run: an earlier version of the same file" in claim.note
    registered = loading.read(loading.LEDGER / "C24.toml")
    assert registered.numbers[0].printings == ("0.8951",)


def test_every_addendum_is_of_a_number_of_the_ledger():
    for name, addendum in loading._tables(loading.ADDENDA).items():
        registered = loading.read(loading.LEDGER / f"{name}.toml")
        assert addendum["number"] in {number.name for number in registered.numbers}


def test_an_unknown_claim_names_the_nearest():
    with pytest.raises(ProtocolError, match="C01"):
        loading.load("C0l")


@pytest.mark.parametrize("content", [b"", b"id = ", b"\xff", b"id = 'X'"])
def test_files_that_are_no_claims(tmp_path, content):
    file = tmp_path / "mine.toml"
    file.write_bytes(content)
    with pytest.raises(ProtocolError, match=r"mine\.toml"):
        loading.load(str(file))


def test_a_variant_changes_what_it_says_and_nothing_else():
    claim = loading.load("C01")
    (variant,) = [v for v in claim.variants if v.name == "pixels-by-255"]
    changed = loading.changed_protocol(claim, variant)
    assert changed.data.scale == "divide_by_255"
    assert changed.training == claim.protocol.training
    assert changed.name == "c01-pixels-by-255"


def test_own_data_replaces_the_stand_in(cache):
    claim = loading.load("C04")
    assert claim.protocol.data.dataset == "mnist-42000"
    assert loading.with_source_data(claim) is claim
    own = loading.on_source_data(claim)
    assert (own.protocol.data.dataset, own.same_test) == ("kaggle-digits", True)
    assert own.protocol.data.rows == claim.protocol.data.rows


def test_the_id_may_be_of_any_script():
    claim = make_claim(id="손글씨-1")
    assert [run.experiment.name for run in claim_runs(claim)] == ["손글씨-1"]
