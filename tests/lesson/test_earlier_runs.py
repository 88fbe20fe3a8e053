"""What the lesson takes from runs that were made before."""

from pathlib import Path

import numpy as np
import pytest

from harness.lesson import texts
from harness.lesson.chapters.first_digits import claims_table, earlier_accuracies
from harness.lesson.chapters.network_by_hand import both_accuracies
from harness.lesson.earlier_runs import EarlierRuns
from harness.lesson.material import Material
from harness.lesson.texts import Language
from harness.parity.judgement import Judgement, Verdict
from harness.parity.verdicts import CellKey
from harness.run import Run
from tests.analysis.rows import run_of

LEDGER = Path(__file__).parents[2] / "results" / "ledger"
CURVE = {
    "step": np.array([1, 600, 1200]),
    "train_accuracy": np.array([0.1, 0.8, 0.9]),
    "test_accuracy": np.array([0.1, 0.7, 0.8]),
}


def material(earlier):
    return Material(texts.labels(Language.ENGLISH), earlier)


def run_with(verdict):
    plan, rows = run_of({"numpy": 2.0}, seeds=1, experiment="mnist-mlp", steps=1200)
    judged = {
        CellKey(row.experiment, row.framework, row.loop): Judgement(verdict, "", ()) for row in rows
    }
    return EarlierRuns([Run(plan, rows, judged, arrays=lambda trial: CURVE)])


def test_rows_and_curves_of_a_run_are_shown():
    shown = material(run_with(Verdict.SAME))
    (table,) = earlier_accuracies(shown, "mnist-mlp")
    assert [cell.text for cell in table.rows[0]] == [
        "numpy",
        "stepwise",
        "1,200",
        "0.9000",
        "2.00 s",
    ]
    assert both_accuracies(shown).numbers == {
        "epochs": "2",
        "train": "0.9000",
        "test": "0.8000",
        "gap": "0.1000",
    }


def test_what_is_not_proven_is_not_quoted():
    earlier = run_with(Verdict.DIFFERENT)
    assert earlier.rows("mnist-mlp") == []
    assert earlier.accuracy_curve("mnist-mlp") is None


def test_claims_are_quoted_from_samples():
    row = claims_table(material(EarlierRuns.read([LEDGER])), ["C03"]).rows[0]
    assert [cell.text for cell in row][2:] == ["0.9171", "0.9190 (1)"]
    assert claims_table(material(EarlierRuns()), ["C03"]).rows[0][-1].text == "-"


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(ValueError, match="holds no run"):
        EarlierRuns.read([tmp_path])
