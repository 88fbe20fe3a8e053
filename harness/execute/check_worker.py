"""What a worker answers to a check: which protocols suit an adapter, and whether a rule holds."""

import traceback
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.experiment.model import Experiment
    from harness.registry import Framework
    from harness.trainer import StepTrainer


@cache
def _load(framework: "Framework") -> "type[StepTrainer]":
    """The adapter, the same class for every part of a check."""
    return framework.load()


def choose_protocols(message: dict[str, Any], framework: "Framework") -> dict[str, Any]:
    """Return the protocols that check the adapter, as JSON, with what they leave out in words."""
    from harness.execute.adapter_errors import describe_exception
    from harness.parity.covering import cover
    from harness.parity.covering_text import not_looked_at, refusals, refused_kinds

    try:
        adapter = _load(framework)
        covering = cover(adapter.refuses, message["full"], message["only"], _own(message))
    except BaseException as error:
        traceback.print_exc()
        return {
            "problem": describe_exception(error, framework),
            "traceback": traceback.format_exc(),
        }
    answer = {
        "chosen": [each.model_dump(mode="json") for each in covering.chosen.values()],
        "refusals": refusals(_asked(covering.refused, message)),
    }
    if message["only"] is not None:
        return answer
    left_out = {
        "refused_kinds": refused_kinds(covering),
        "not_looked_at": not_looked_at(covering, message["full"]),
    }
    return answer | left_out


def _asked(refused: Mapping[str, str], message: Mapping[str, Any]) -> dict[str, str]:
    """The refused protocols that were asked for."""
    only, own = message["only"], [values["name"] for values in message["own"]]
    return {
        name: reason
        for name, reason in refused.items()
        if only is None or name in only or name in own
    }


def _own(message: Mapping[str, Any]) -> "list[Experiment]":
    """The protocols that the user named, at the length of a proof."""
    from harness.experiment.loading import parse
    from harness.experiment.proof_length import proof_of

    return [proof_of(parse(values, values["name"])) for values in message["own"]]


def check_rule(message: dict[str, Any], framework: "Framework") -> dict[str, Any]:
    """Try one rule of the contract; say whether the rule holds, and how not."""
    from harness.execute.adapter_errors import describe_exception
    from harness.parity.rules import BY_NAME
    from harness.parity.subject import BrokenRuleError, NoSuchProtocolError, Subject
    from harness.trainer import DeviceUnavailableError, ToolMissingError

    try:
        adapter = _load(framework)
        loop, dtype, device = message["loop"], message["dtype"], message["device"]
        subject = Subject(adapter, loop, dtype, device, tuple(_own(message)))
        return {"holds": True, "remark": BY_NAME[message["rule"]](subject) or ""}
    except NoSuchProtocolError as reason:
        return {"holds": True, "remark": str(reason)}
    except (BrokenRuleError, DeviceUnavailableError, ToolMissingError) as error:
        return {"holds": False, "remark": str(error)}
    except BaseException as error:
        traceback.print_exc()
        return {
            "holds": False,
            "remark": describe_exception(error, framework),
            "traceback": traceback.format_exc(),
        }
