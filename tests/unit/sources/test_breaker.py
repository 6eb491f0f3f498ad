"""The breaker's states, told one instant after the other."""

from schema.base import CircuitState
from sources import breaker
from sources.breaker import CLOSED, Circuit, Permit


def opened(at: float = 0.0) -> Circuit:
    """A circuit that opened at an instant."""
    circuit = CLOSED
    for _ in range(3):
        circuit = breaker.failed(circuit, Permit.NORMAL, at, 3, 5.0)
    return circuit


def test_opens_after_the_limit() -> None:
    """Failures below the limit leave it closed, the last one opens it."""
    circuit = breaker.failed(CLOSED, Permit.NORMAL, 0.0, 2, 5.0)
    assert circuit.state is CircuitState.CLOSED
    assert breaker.failed(circuit, Permit.NORMAL, 0.0, 2, 5.0).state is CircuitState.OPEN


def test_an_answer_starts_the_count_again() -> None:
    """Only failures in a row count."""
    circuit = breaker.failed(CLOSED, Permit.NORMAL, 0.0, 2, 5.0)
    circuit = breaker.answered(circuit, Permit.NORMAL, 1.0)
    assert breaker.failed(circuit, Permit.NORMAL, 2.0, 2, 5.0).state is CircuitState.CLOSED


def test_an_open_circuit_refuses_until_its_time() -> None:
    """Nothing goes through while it is open, one probe when its time is over."""
    circuit = opened()
    assert not breaker.allows(circuit, 4.9)
    assert breaker.admit(circuit, 4.9) == (circuit, Permit.REFUSED)
    assert breaker.allows(circuit, 5.0)
    assert breaker.admit(circuit, 5.0)[1] is Permit.PROBE


def test_there_is_one_probe_at_a_time() -> None:
    """While the probe is away everyone else is refused."""
    circuit, _ = breaker.admit(opened(), 5.0)
    assert circuit.state is CircuitState.HALF_OPEN
    assert not breaker.allows(circuit, 6.0)
    assert breaker.admit(circuit, 6.0)[1] is Permit.REFUSED


def test_the_probe_decides() -> None:
    """Its answer closes the circuit, its failure opens it for the whole time again."""
    circuit, permit = breaker.admit(opened(), 5.0)
    assert breaker.answered(circuit, permit, 5.5) == Circuit(closed_at=5.5)
    again = breaker.failed(circuit, permit, 6.0, 3, 5.0)
    assert (again.state, again.reopens_at) == (CircuitState.OPEN, 11.0)


def test_an_abandoned_probe_leaves_the_place_to_the_next() -> None:
    """A probe whose caller went away does not block the way back."""
    circuit, permit = breaker.admit(opened(), 5.0)
    circuit = breaker.abandoned(circuit, permit, 5.2)
    assert breaker.admit(circuit, 5.2)[1] is Permit.PROBE


def test_late_answers_of_earlier_calls_change_nothing() -> None:
    """What went before the opening neither closes the circuit nor prolongs it."""
    circuit = opened()
    assert breaker.answered(circuit, Permit.NORMAL, 1.0) is circuit
    assert breaker.failed(circuit, Permit.NORMAL, 1.0, 3, 5.0) is circuit
    assert breaker.abandoned(circuit, Permit.NORMAL, 1.0) is circuit
