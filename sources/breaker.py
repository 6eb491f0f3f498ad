"""The circuit breaker as pure functions: a state and an instant in, the next state out.

Closed lets everything through. So many failures in a row open it; while open nothing goes through. When its time is
over, one call is let through as a probe (half open): its success closes the circuit, its failure opens it again.
"""

from dataclasses import dataclass, replace
from enum import Enum

from schema.base import CircuitState


@dataclass(frozen=True, slots=True)
class Circuit:
    """State of one breaker: ``failures`` in a row, ``reopens_at`` the instant from which a probe may go.

    ``closed_at`` is when a probe last closed it: what began before tells nothing about the time after.
    """

    state: CircuitState = CircuitState.CLOSED
    failures: int = 0
    reopens_at: float = 0.0
    closed_at: float = float("-inf")


CLOSED = Circuit()


class Permit(Enum):
    """Whether a call may go: as one of many, as the one probe, or not at all."""

    NORMAL = "normal"
    PROBE = "probe"
    REFUSED = "refused"


def allows(circuit: Circuit, now: float) -> bool:
    """Whether a call would be let through now, without letting it through."""
    if circuit.state is CircuitState.OPEN:
        return now >= circuit.reopens_at
    return circuit.state is CircuitState.CLOSED


def admit(circuit: Circuit, now: float) -> tuple[Circuit, Permit]:
    """Let a call through, or not."""
    if circuit.state is CircuitState.CLOSED:
        return circuit, Permit.NORMAL
    if circuit.state is CircuitState.OPEN and now >= circuit.reopens_at:
        return replace(circuit, state=CircuitState.HALF_OPEN), Permit.PROBE
    return circuit, Permit.REFUSED


def answered(circuit: Circuit, permit: Permit, now: float) -> Circuit:
    """The system answered, were it to say no. Late answers of calls that went before the opening change nothing."""
    if permit is Permit.PROBE:
        return Circuit(closed_at=now)
    if circuit.state is CircuitState.CLOSED and circuit.failures:
        return replace(circuit, failures=0)
    return circuit


def failed(circuit: Circuit, permit: Permit, now: float, limit: int, seconds: float) -> Circuit:
    """The system did not answer, or with an error of its own. Opens after ``limit`` in a row for ``seconds``."""
    if circuit.state is not CircuitState.CLOSED and permit is not Permit.PROBE:
        return circuit
    failures = circuit.failures + 1
    if permit is Permit.PROBE or failures >= limit:
        return replace(circuit, state=CircuitState.OPEN, failures=failures, reopens_at=now + seconds)
    return replace(circuit, failures=failures)


def abandoned(circuit: Circuit, permit: Permit, now: float) -> Circuit:
    """The call ended without telling anything about the system: the next call may be the probe instead."""
    if permit is Permit.PROBE:
        return replace(circuit, state=CircuitState.OPEN, reopens_at=now)
    return circuit
