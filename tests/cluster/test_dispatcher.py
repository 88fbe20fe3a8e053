"""Who gets which work, on clusters that exist on paper only."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.cluster.connection import Ended
from harness.cluster.dispatcher import Dispatcher, NoWorkersError
from harness.cluster.task import BEGUN_BEFORE, DONE, Greeting, greet
from harness.cluster.work import Kind, Unit
from tests.trials import trial_of

FOUR = {"a1": "A", "a2": "A", "b1": "B", "c1": "C"}
"""Workers and their machines."""


class Paper:
    """A connection to workers that do in turn what a test says."""

    def __init__(self, workers, greetings=None):
        self.there = dict.fromkeys(workers, 1)
        self.greetings = greetings or {
            name: Greeting(node, "kind", ()) for name, node in workers.items()
        }
        self.answers, self.tasks, self.most = {}, {}, {}
        self.ended = self

    def workers(self):
        return dict(self.there)

    def submit(self, key, worker, function, *arguments):
        if function is greet:
            answer = self.greetings[worker]
            self.answers[key] = Ended(key, answer, "") if answer else Ended(key, None, "no module")
        else:
            self.tasks[key] = worker, arguments

    def get(self, timeout):
        """The first task that began ends; greetings come first."""
        if self.answers:
            return next(iter(self.answers))
        key, (worker, arguments) = next(iter(self.tasks.items()))
        del self.tasks[key]
        self.answers[key] = self.end(key, worker, arguments)
        return key

    def end(self, key, worker, arguments):
        return Ended(key, DONE, "")

    def result(self, key):
        return self.answers.pop(key)

    def forget(self, key):
        self.tasks.pop(key, None)


class Foreman:
    """Notes what it hears; sends what is lost again."""

    def __init__(self):
        self.log, self.running, self.nodes_at_once, self.dropped_units = [], {}, [], []

    def sent(self, unit, worker):
        self.log.append((names(unit), worker))
        self.running[unit] = FOUR.get(worker, worker)
        self.nodes_at_once.append(sorted(self.running.values()))

    def done(self, unit, attempt, worker):
        self.running.pop(unit)
        return ()

    def lost(self, unit, attempt, worker, why):
        self.running.pop(unit)
        self.log.append((names(unit), "lost", why))
        return [unit]

    def dropped(self, unit):
        self.dropped_units.append(unit)

    def refused(self, worker, why):
        self.log.append((worker, why))

    def waiting(self):
        self.log.append("waiting")


def names(unit):
    return "".join(trial.id for trial in unit.trials)


def units(text, **options):
    return [Unit(Kind.TRIALS, (trial_of(id=letter),), **options) for letter in text]


@pytest.fixture(autouse=True)
def looks_every_time(monkeypatch):
    monkeypatch.setattr("harness.cluster.dispatcher.LOOK_EVERY_S", 0.0)


def dispatcher_of(paper):
    foreman = Foreman()
    session = SimpleNamespace(path=Path("session"), plan=SimpleNamespace(digest="run"))
    return Dispatcher(paper, session, foreman), foreman


def test_all_workers_work_where_times_do_not_matter():
    dispatcher, foreman = dispatcher_of(Paper(FOUR))
    dispatcher.gather()
    assert dispatcher.nodes == {"A", "B", "C"}
    assert dispatcher.work_off(units("uvwxyz")) == []
    assert sorted(name for name, _ in foreman.log) == list("uvwxyz")
    assert max(map(len, foreman.nodes_at_once)) == 4


def test_one_timed_block_on_a_machine_at_once():
    dispatcher, foreman = dispatcher_of(Paper(FOUR))
    dispatcher.gather()
    dispatcher.work_off(units("stuvwxyz", alone=True))
    assert all(len(nodes) == len(set(nodes)) for nodes in foreman.nodes_at_once)
    assert max(map(len, foreman.nodes_at_once)) == 3


def test_work_for_one_machine_waits_for_it():
    dispatcher, foreman = dispatcher_of(Paper(FOUR))
    dispatcher.gather()
    dispatcher.work_off([*units("xyz", node="B"), *units("u")])
    assert {worker for name, worker in foreman.log if name in "xyz"} == {"b1"}


@pytest.mark.parametrize("bound", [{"node": "D"}, {"machine": "other kind"}])
def test_work_for_a_machine_that_is_not_there(bound):
    dispatcher, foreman = dispatcher_of(Paper(FOUR))
    dispatcher.gather()
    (whole,) = units("w")
    (rest,) = units("r", otherwise=whole, **bound)
    (needless,) = units("n", **bound)
    dispatcher.work_off([rest, needless])
    assert [name for name, _ in foreman.log] == ["w"]
    assert foreman.dropped_units == [needless]


def test_what_a_lost_worker_did_is_done_by_another():
    paper = Paper(FOUR)

    def end(key, worker, arguments):
        paper.there.pop("a2", None)
        return Ended(key, DONE, "")

    paper.end = end
    dispatcher, foreman = dispatcher_of(paper)
    dispatcher.gather()
    dispatcher.work_off(units("uvwx", node="A"))
    assert foreman.log[:3] == [("u", "a1"), ("v", "a2"), ("v", "lost", "its worker is gone")]
    assert sorted(foreman.log[3:]) == [("v", "a1"), ("w", "a1"), ("x", "a1")]


def test_a_worker_that_fails_or_was_started_again():
    paper = Paper({"a1": "A"})
    ends = iter([("", "OSError: No space left on device"), (BEGUN_BEFORE, ""), (DONE, "")])
    paper.end = lambda key, worker, arguments: Ended(key, *next(ends))
    dispatcher, foreman = dispatcher_of(paper)
    dispatcher.gather()
    dispatcher.work_off(units("u"))
    whys = [entry[2] for entry in foreman.log if len(entry) == 3]
    assert whys == ["OSError: No space left on device", "its worker was started again"]


def test_a_worker_comes_later():
    paper = Paper(FOUR)
    late = paper.there.copy()
    paper.there = {}

    def get(timeout):
        paper.there = late
        return Paper.get(paper, timeout) if paper.answers or paper.tasks else empty()

    def empty():
        import queue

        raise queue.Empty

    paper.get = get
    dispatcher, foreman = dispatcher_of(paper)
    dispatcher.gather()
    assert foreman.log == ["waiting"]
    dispatcher.work_off(units("u"))


def test_who_may_not_take_part_is_named():
    greetings = {
        "a1": Greeting("A", "kind", ()),
        "a2": Greeting("A", "kind", ("numpy 2.3.1 here, 2.2.0 there",)),
        "b1": None,
        "c1": Greeting("C", "kind", ()),
    }
    dispatcher, foreman = dispatcher_of(Paper(FOUR, greetings))
    dispatcher.gather()
    said = dict(foreman.log)
    assert said["a2"] == "numpy 2.3.1 here, 2.2.0 there"
    assert said["b1"].startswith("samestep cannot be run there (no module)")
    foreman.log.clear()
    dispatcher.work_off(units("uvwxyz"))
    assert {worker for _, worker in foreman.log} == {"a1", "c1"}


def test_nobody_may_take_part():
    greetings = dict.fromkeys(FOUR, Greeting("A", "kind", ("Python 3.11 here, 3.12 there",)))
    dispatcher, _ = dispatcher_of(Paper(FOUR, greetings))
    with pytest.raises(NoWorkersError, match=r"no worker may take part:\na1: Python 3.11 here"):
        dispatcher.gather()


def test_no_more_is_begun_after_a_deadline():
    dispatcher, foreman = dispatcher_of(Paper(FOUR))
    dispatcher.gather()
    left = dispatcher.work_off(units("xyz"), until=0.0)
    assert [names(unit) for unit in left] == ["x", "y", "z"]
    assert foreman.log == []
