"""Keeps count of replicas that a deployment has ordered and that do not serve: starting, spare, or to be replaced.

It knows no clock and no replica.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(eq=False)
class Ticket:
    """One order: whether it is paid for, and whether it becomes a spare."""

    is_paid: bool
    is_spare: bool


class Coming:
    """What a deployment has ordered and does not serve yet, and its warm pool."""

    def __init__(self) -> None:
        self._tickets: list[Ticket] = []
        self._spares: list[float] = []  # the share of the price that each costs

    @property
    def to_serve(self) -> int:
        """Orders that will serve, paid for or not."""
        return sum(not ticket.is_spare for ticket in self._tickets)

    @property
    def starting(self) -> int:
        """Orders that are paid for."""
        return sum(ticket.is_paid for ticket in self._tickets)

    @property
    def replacing(self) -> int:
        """Orders that are not paid for until they come."""
        return sum(not ticket.is_paid for ticket in self._tickets)

    @property
    def spares(self) -> int:
        """Replicas in the warm pool."""
        return len(self._spares)

    @property
    def spares_paid(self) -> float:
        """Replicas' prices that the warm pool costs."""
        return sum(self._spares)

    def order(self, is_paid: bool, is_spare: bool) -> Ticket:
        """Order one more."""
        ticket = Ticket(is_paid, is_spare)
        self._tickets.append(ticket)
        return ticket

    def arrives(self, ticket: Ticket) -> bool:
        """Close an order that has come; return False if it was cancelled before."""
        if ticket not in self._tickets:
            return False
        self._tickets.remove(ticket)
        return True

    def cancel(self) -> bool:
        """Cancel the youngest order that nothing has been paid for yet; return whether there was one."""
        ticket = next((ticket for ticket in reversed(self._tickets) if not ticket.is_paid), None)
        if ticket is not None:
            self._tickets.remove(ticket)
        return ticket is not None

    def add_spare(self, price_share: float) -> None:
        """Put one into the warm pool."""
        self._spares.append(price_share)

    def take_spare(self) -> bool:
        """Take one out of the warm pool; return whether there was one."""
        if self._spares:
            self._spares.pop()
            return True
        return False
