"""Checks one adapter: the ladder on small protocols, then the rules of the contract.

Everything runs in worker processes, so an adapter that crashes or hangs breaks its own rule and
nothing else.
"""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.clock.environment import child_environment
from harness.execute.listener import Listener
from harness.execute.proving import judge_all
from harness.execute.worker_process import Death, WorkerProcess
from harness.execute.workers import Workers
from harness.experiment.loading import parse
from harness.experiment.model import Experiment
from harness.experiment.vocabulary import Device, Dtype, Status
from harness.parity.covering_text import LEAST
from harness.parity.findings import Finding
from harness.parity.judgement import Judgement, Verdict
from harness.parity.protocols import every
from harness.parity.rules import BY_NAME
from harness.plan import Plan, Request
from harness.planning import framework_table, proof_trials
from harness.registry import Framework
from harness.results import RunFolder

TIMEOUT_S = 120.0
CHOOSING_S_AT_LEAST = 60.0
"""To choose protocols, the framework is imported for the first time."""
TIMEOUTS_AT_MOST = 2
"""After so many timeouts of one loop the rest of the loop is skipped."""


class _Silent(Listener):
    """A check reports its findings, and nothing on the way."""


def known_names() -> list[str]:
    """Return what `only` may name: protocols of the ladder and rules."""
    return [*every(), *BY_NAME]


@dataclass
class Check:
    """The check of one adapter.

    Args:
        framework: the adapter.
        device: "cpu" or "cuda".
        scratch: a folder for traces and logs.
        full: all protocols that the adapter supports, not as few as cover what it supports.
        loops: which of its loops; empty for all.
        only: names of protocols and rules; empty for all.
        timeout_s: limit of one protocol or rule; None for no limit.
        own: protocols of the user's, which are checked too.

    Attributes:
        remarks: what was not looked at and why, once the findings are through.
    """

    framework: Framework
    device: Device
    scratch: Path
    full: bool = False
    loops: Sequence[str] = ()
    only: Sequence[str] = ()
    timeout_s: float | None = TIMEOUT_S
    own: Sequence[Experiment] = ()
    remarks: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        wanted = self.loops or self.framework.loops
        self._loops = [loop for loop in self.framework.loops if loop in wanted]
        self._own = [each.model_dump(mode="json", exclude_none=True) for each in self.own]
        self._rules = [name for name in BY_NAME if not self.only or name in self.only]
        self._timeouts: Counter[str] = Counter()
        self._skipped: Counter[str] = Counter()
        self._worker: WorkerProcess | None = None

    def findings(self) -> Iterator[Finding]:
        """Check finding by finding; a worker that dies is replaced."""
        try:
            protocols = [name for name in self.only if name not in BY_NAME]
            if protocols or self.own or not self.only:
                yield from self._ladder(protocols)
            for loop in self._loops:
                for rule in self._rules:
                    yield from self._rule(loop, rule)
        finally:
            self._close()
        for loop, count in self._skipped.items():
            self.remarks.append(
                f"skipped: {count} protocols and rules of the {loop} loop, after "
                f"{TIMEOUTS_AT_MOST} timeouts of {self.timeout_s:g} s"
            )

    # ------------------------------------------------------------ the ladder

    def _ladder(self, only: Sequence[str]) -> Iterator[Finding]:
        """Every protocol that suits the adapter; to judge none is a finding too."""
        asked = {"full": self.full, "only": only if self.only else None, "own": self._own}
        answer = self._ask(asked, CHOOSING_S_AT_LEAST)
        problem = answer.get("problem")
        if problem:
            self._rules = []  # each would only say the same
            for loop in self._loops:
                trace = answer.get("traceback", "")
                yield self._finding(loop, "ladder", "no protocol", False, problem, trace)
            return
        chosen = [parse(values, values["name"]) for values in answer["chosen"]]
        if not any(each.training for each in chosen) and not self.only:
            chosen, self._rules = [], []
        if not chosen:
            reason = f"supports refuses every protocol that trains: {answer['refusals']}. {LEAST}"
            if self.only:
                reason = f"supports refuses all that were asked for: {answer['refusals']}"
            for loop in self._loops:
                yield self._finding(loop, "ladder", "no protocol", False, reason)
            return
        self._remark_on(answer, [*only, *(each.name for each in self.own)], chosen)
        experiments = {each.name: each for each in chosen}
        request = Request(frameworks=(self.framework.name,), device=self.device)
        table = framework_table([self.framework])
        plan = Plan("check", request, experiments, {}, (), frameworks=table)
        workers = Workers(plan, RunFolder(self.scratch), self.timeout_s, _Silent())
        try:
            for loop in self._loops:
                for experiment in chosen:
                    yield from self._protocol(loop, experiment, workers)
        finally:
            workers.close_idle()

    def _remark_on(
        self, answer: Mapping[str, Any], only: Sequence[str], chosen: Sequence[Experiment]
    ) -> None:
        if self.only or self.own:
            names = {each.name for each in chosen}
            refused = [name for name in only if name not in names]
            if refused:
                self.remarks.append(f"refused by supports: {answer['refusals']}")
        if self.only:
            return
        self.remarks += filter(None, [answer["refused_kinds"], answer["not_looked_at"]])

    def _protocol(self, loop: str, experiment: Experiment, workers: Workers) -> Iterator[Finding]:
        if self._is_skipped(loop):
            return
        proofs = proof_trials(self.framework, experiment, loop, self.device, Dtype.FLOAT32)
        judgement, log_tail = judge_all(proofs, workers)
        self._count(loop, judgement.status)
        yield Finding(
            self.framework.name,
            loop,
            "ladder",
            experiment.name,
            judgement.proven,
            _remark(judgement),
            judgement,
            "\n".join(log_tail) if judgement.status == Status.ERROR else "",
        )

    # ------------------------------------------------------------ the rules

    def _rule(self, loop: str, rule: str) -> Iterator[Finding]:
        if self._is_skipped(loop):
            return
        dtype = "float64" if "float64" in self.framework.dtypes else "float32"
        message = {
            "rule": rule,
            "loop": loop,
            "dtype": dtype,
            "device": self.device,
            "own": self._own,
        }
        answer = self._ask(message)
        if "problem" in answer:
            self._count(loop, answer["status"])
            yield self._finding(loop, "rule", rule, False, answer["problem"])
            return
        trace = answer.get("traceback", "")
        yield self._finding(loop, "rule", rule, answer["holds"], answer["remark"], trace)

    def _ask(self, message: Mapping[str, Any], at_least_s: float = 0.0) -> dict[str, Any]:
        """Ask the worker of this check; where it dies, the answer is the `problem`."""
        timeout_s = None if self.timeout_s is None else max(self.timeout_s, at_least_s)
        if self._worker is None:
            setup = {"framework": asdict(self.framework), "threads": 1}
            environment = child_environment(os.environ, 1, self.device)
            self._worker = WorkerProcess(setup, environment, self.scratch / "rules.log")
        answer = self._worker.ask(message, timeout_s)
        if isinstance(answer, Death):
            self._worker = None
            return {"problem": f"{answer.status}: {answer.detail}", "status": answer.status}
        return answer

    def _close(self) -> None:
        if self._worker is not None:
            self._worker.close()

    # ------------------------------------------------------------ both

    def _finding(
        self, loop: str, kind: Any, name: str, holds: bool, remark: str, trace: str = ""
    ) -> Finding:
        return Finding(self.framework.name, loop, kind, name, holds, remark, traceback=trace)

    def _count(self, loop: str, status: Status | None) -> None:
        self._timeouts[loop] += status == Status.TIMEOUT

    def _is_skipped(self, loop: str) -> bool:
        """Whether a loop has timed out too often; then what is asked for counts as skipped."""
        if self._timeouts[loop] < TIMEOUTS_AT_MOST:
            return False
        self._skipped[loop] += 1
        return True


def _remark(judgement: Judgement) -> str:
    if judgement.verdict == Verdict.NOT_FLOAT32:
        return f"{judgement.verdict}: {judgement.reason}"
    return judgement.reason
