"""How many replications a question gets: rules that stop once its answer is known well enough."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Replications:
    """At least and at most so many replications.

    Raises
    ------
    ValueError
        If an interval cannot be made of the least number, or it is above the most.
    """

    min_replications: int
    max_replications: int

    def __post_init__(self) -> None:
        """Check the numbers."""
        if self.min_replications < 2:
            raise ValueError(f"min_replications is {self.min_replications}; an interval needs at least 2")
        if self.max_replications < self.min_replications:
            raise ValueError(
                f"max_replications is {self.max_replications}; "
                f"it must be at least min_replications, which is {self.min_replications}"
            )


@dataclass(frozen=True)
class Precision(Replications):
    """Look after each replication, and stop once every 95% interval of a mean has at most this half-width.

    Parameters
    ----------
    min_replications, max_replications : int
        At least and at most so many, whatever the intervals say.
    half_width : float
        Of a ratio, so 0.01 is one per cent of the optimum.

    Notes
    -----
    The sequential procedure of Chow and Robbins (On the asymptotic theory of fixed-width sequential confidence
    intervals for the mean, Annals of Mathematical Statistics 36, 1965; Law, Simulation Modeling and Analysis, 5th ed.,
    McGraw-Hill 2015, chapter 9): look after each replication and stop at the first n with
    t_{n-1, 0.975} sqrt(S^2(n) / n) <= half_width. It stops sooner where S happens to be small, so that the intervals
    cover a little less than 95%; that vanishes as half_width does, and a minimum of ten or so keeps it small.
    """

    min_replications: int = 10
    max_replications: int = 50
    half_width: float = 0.01

    def __post_init__(self) -> None:
        """Check the numbers."""
        if not 0 < self.half_width < float("inf"):
            raise ValueError(f"half_width is {self.half_width}; it must be positive and finite, such as 0.01")
        super().__post_init__()


@dataclass(frozen=True)
class Effort(Replications):
    """Look at a few numbers of replications known beforehand, and stop once a question is decided.

    Parameters
    ----------
    min_replications, max_replications : int
        A candidate is looked at after the first number, after twice as many, and so on to the second.
    confidence : float
        Of all looks at one target together.

    Notes
    -----
    With K looks each interval has the confidence 1 - (1 - confidence) / K, so that by Bonferroni's inequality the
    chance that any of them misses the mean is at most 1 - confidence, if the means of replications are near normal.
    """

    min_replications: int = 5
    max_replications: int = 40
    confidence: float = 0.95

    def __post_init__(self) -> None:
        """Check the numbers."""
        super().__post_init__()
        if not 0 < self.confidence < 1:
            raise ValueError(f"confidence is {self.confidence}; it must be between 0 and 1, such as 0.95")

    @property
    def looks(self) -> tuple[int, ...]:
        """After how many replications a candidate is looked at."""
        numbers = [self.min_replications]
        while numbers[-1] < self.max_replications:
            numbers.append(min(2 * numbers[-1], self.max_replications))
        return tuple(numbers)

    @property
    def confidence_of_each(self) -> float:
        """Of the interval at one look."""
        return 1 - (1 - self.confidence) / len(self.looks)
