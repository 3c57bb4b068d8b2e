"""Failures on order: how long they last."""

from sandbox.faults import Fault, Faults
from sandbox.parameters import Parameters

CALL = Parameters({})


def ordered(faults: Faults, method: str, **wishes: object) -> Fault:
    """One that would go on for long."""
    return faults.order(Parameters({"method": method, "code": 500, "times": 99, **wishes}))


def test_fault_of_a_minute_lasts_a_minute() -> None:
    faults = Faults()
    fault = ordered(faults, "getMe", seconds=60)
    assert faults.met_by("getMe", CALL) is fault
    assert [one["number"] for one in faults.as_json()] == [fault.number]
    assert fault.until is not None
    fault.until -= 60
    assert faults.met_by("getMe", CALL) is None


def test_fault_whose_time_is_over_is_no_longer_listed() -> None:
    faults = Faults()
    ordered(faults, "getMe", seconds=0)
    lasting = ordered(faults, "getMe")
    assert [one["number"] for one in faults.as_json()] == [lasting.number]


def test_faults_are_cleared_by_number_or_all_at_once() -> None:
    faults = Faults()
    first, second, third = (ordered(faults, name) for name in ("getMe", "getChat", "getFile"))
    faults.clear(second.number)
    assert faults.met_by("getChat", CALL) is None
    assert faults.met_by("getMe", CALL) is first
    assert faults.met_by("getFile", CALL) is third
    faults.clear()
    assert faults.as_json() == []
