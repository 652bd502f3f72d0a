"""Makes the default workload: made-up queries, and models with RouterBench's published mean scores and costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from scenarios.workloads.capping import with_curve
from scenarios.workloads.item_response import chances, lowest
from scenarios.workloads.margins import SEPARATION, with_margins
from sim.errors import check_number
from sim.interface import EmbeddingArray, FloatArray, IntArray
from sim.workload import Rows, Workload
from sim.workload.rows import EXPECTED


@dataclass(frozen=True)
class Model:
    """Published means of one model on RouterBench, and its list price of early 2024."""

    name: str
    quality: float
    cost_usd: float
    input_usd_per_million: float
    output_usd_per_million: float


# Mean score and USD per query: PORT's released code (arXiv 2509.02718). Prices: RouterBench's (arXiv 2403.12031).
ROUTERBENCH = (
    Model("WizardLM-13B-V1.2", 0.4321, 7.270e-5, 0.30, 0.30),
    Model("claude-instant-v1", 0.5984, 2.319e-4, 0.80, 2.40),
    Model("claude-v1", 0.6306, 2.136e-3, 8.0, 24.0),
    Model("claude-v2", 0.6356, 2.410e-3, 8.0, 24.0),
    Model("gpt-3.5-turbo-1106", 0.6166, 2.422e-4, 1.0, 2.0),
    Model("gpt-4-1106-preview", 0.7811, 3.281e-3, 10.0, 30.0),
    Model("code-llama-34b-instruct", 0.2026, 1.714e-4, 0.776, 0.776),
    Model("llama-2-70b-chat", 0.3285, 2.019e-4, 0.90, 0.90),
    Model("mistral-7b-chat", 0.3085, 4.558e-5, 0.20, 0.20),
    Model("mixtral-8x7b-chat", 0.5498, 1.342e-4, 0.60, 0.60),
    Model("Yi-34B-Chat", 0.6478, 1.849e-4, 0.80, 0.80),
)

RANGES = {"n_queries": (1, 10**8), "n_history": (1, 10**8), "n_models": (1, 10_000), "dim": (2, 100_000)}
N_TOPICS = 12
MEAN_INPUT_TOKENS = 120  # RouterBench's means imply 220 to 330 tokens a query, input and output together
DISCRIMINATION = 1.2
AFFINITY_SD = 0.8
LENGTH_BY_DIFFICULTY = 0.4  # by so much an answer's log length grows
EMBEDDING_NOISE = 0.9
MANY = 1_000_000  # queries
BLOCK = 65_536  # rows whose embeddings are drawn at a time


def synthetic(
    n_queries: int = 10_000,
    n_history: int = 10_000,
    n_models: int = 11,
    dim: int = 64,
    seed: int = 0,
    separation: float | None = SEPARATION,
    cap_curve: float | None = None,
    expectations: bool | None = None,
) -> Workload:
    """Make a workload of topics x difficulty x output length.

    *Taken from publications*: the eleven models' names, prices, mean scores and mean costs per query; history and test
    each meet the mean scores to within one query and the mean costs to within 2% (for a few hundred queries or more).

    *Made up*: everything else. Twelve topics of unequal size, each a random direction of the embedding space. A
    difficulty per query, standard normal, that shifts the embedding along one more direction and lengthens the answer.
    An item-response model: a model answers right if ability - difficulty x 1.2 + its affinity to the topic (normal, sd
    0.8) + logistic noise is positive. Log-normal input tokens (mean 120) and output tokens. Scores are 0 or 1. Beyond
    eleven models, variations of catalogue models with other prices and means. Confidences (``margins.margins``).

    *Expected outcomes*: given topic, difficulty and input tokens, a score is a coin of known chance, and the length of
    an answer, hence its cost, a log-normal draw of known mean. Embeddings show topic and difficulty under noise, so no
    estimator can know more than these expectations, and from embeddings alone it knows less. (Abilities are set by the
    mean score of the draw, which ties the coins together a little: by about 1 / n, which the chances neglect.)

    Parameters
    ----------
    n_queries : int
        How many test queries there are; at least 1.
    n_history : int
        How many history queries there are; at least 1.
    n_models : int
        How many models there are, RouterBench's first; at least 1.
    dim : int
        Dimensions of the embeddings; at least 2.
    seed : int
        Of the whole workload; the same seed and sizes give the same bytes.
    separation : float or None
        Chance that a right answer of a model has a larger confidence than a wrong one, from 0.5 (which says nothing)
        to 0.9999. Nothing else depends on it. None: answers have no confidences.
    cap_curve : float or None
        Of what an answer is worth that is cut: of n tokens and cut at c, it keeps (1 - exp(-a c/n)) / (1 - exp(-a)) of
        its score, with this a, above 0 and at most 1000; made up (``capping.retained``). None: answers cannot be cut.
    expectations : bool or None
        Whether queries have expected outcomes, on which nothing else depends. They take as much memory as outcomes do.
        None: up to a million queries.

    Raises
    ------
    ValueError
        If a size is too small or too large, or the separation out of its range.
    """
    check_sizes({"n_queries": n_queries, "n_history": n_history, "n_models": n_models, "dim": dim})
    rng = np.random.default_rng(seed)
    models = catalogue(n_models, rng)
    shared = draw_shared(n_models, dim, rng)
    if expectations is None:
        expectations = n_queries <= MANY
    history = draw(shared, models, n_history, rng, expectations)
    prices = tuple((model.input_usd_per_million, model.output_usd_per_million) for model in models)
    names = tuple(model.name for model in models)
    drawn = Workload(names, history, draw(shared, models, n_queries, rng, expectations), token_prices=prices)
    return with_curve(drawn if separation is None else with_margins(drawn, separation, seed), cap_curve)


def check_sizes(sizes: Mapping[str, int]) -> None:
    """Raise ValueError for the first size, by its name, that is out of its range."""
    for name, size in sizes.items():
        least, most = RANGES[name]
        check_number(f"workload.{name}", size, least=least, most=most)


@dataclass(frozen=True)
class Shared:
    """What history and test have in common."""

    topic_share: FloatArray
    topic_direction: FloatArray
    topic_length: FloatArray
    difficulty_direction: FloatArray
    affinity: FloatArray


def catalogue(n_models: int, rng: np.random.Generator) -> list[Model]:
    """Return the first n models of RouterBench, then variations of them."""
    models = list(ROUTERBENCH[:n_models])
    while len(models) < n_models:
        parent = ROUTERBENCH[int(rng.integers(len(ROUTERBENCH)))]
        price = float(np.exp(rng.normal(0, 0.5)))
        models.append(
            Model(
                name=f"synthetic-{len(models) + 1}",
                quality=float(np.clip(parent.quality + rng.normal(0, 0.05), 0.05, 0.95)),
                cost_usd=parent.cost_usd * price,
                input_usd_per_million=parent.input_usd_per_million * price,
                output_usd_per_million=parent.output_usd_per_million * price,
            )
        )
    return models


def draw_shared(n_models: int, dim: int, rng: np.random.Generator) -> Shared:
    """Draw what history and test have in common."""
    return Shared(
        topic_share=rng.dirichlet(np.full(N_TOPICS, 4.0)),
        topic_direction=rng.normal(size=(N_TOPICS, dim)) / np.sqrt(dim),
        topic_length=rng.normal(0, 0.4, N_TOPICS),
        difficulty_direction=rng.normal(size=dim) / np.sqrt(dim),
        affinity=rng.normal(0, AFFINITY_SD, (N_TOPICS, n_models)),
    )


@dataclass(frozen=True)
class Questions:
    """What is asked: topic and difficulty (n,), and the embeddings (n, dim) that show both under noise."""

    topic: IntArray
    difficulty: FloatArray
    embeddings: EmbeddingArray

    def names(self) -> np.ndarray[Any, np.dtype[Any]]:
        """Return the topics' names (n,)."""
        return np.array([f"topic-{t + 1:02d}" for t in range(N_TOPICS)], dtype=object)[self.topic]


def ask(shared: Shared, n: int, rng: np.random.Generator) -> Questions:
    """Draw n queries, without their lengths."""
    topic = rng.choice(N_TOPICS, n, p=shared.topic_share)
    difficulty = rng.normal(size=n)
    return Questions(topic, difficulty, embed(shared, topic, difficulty, rng))


def embed(shared: Shared, topic: IntArray, difficulty: FloatArray, rng: np.random.Generator) -> EmbeddingArray:
    """Draw embeddings (n, dim) that show topics and difficulties (n,) under noise."""
    n, dim = len(topic), len(shared.difficulty_direction)
    embeddings = np.empty((n, dim), dtype=np.float32)
    for start in range(0, n, BLOCK):  # as in one piece, whose terms in double precision would take several times more
        block = slice(start, start + BLOCK)
        part = embeddings[block]
        part[:] = rng.normal(0, EMBEDDING_NOISE / np.sqrt(dim), part.shape)
        part += shared.topic_direction[topic[block]].astype(np.float32)
        part += (0.6 * difficulty[block, None] * shared.difficulty_direction).astype(np.float32)
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return embeddings


def hardness_for(shared: Shared, questions: Questions, k: int) -> FloatArray:
    """Return how hard questions (n,) are for the k-th model, by difficulty and topic."""
    return np.asarray(DISCRIMINATION * questions.difficulty - shared.affinity[questions.topic, k])


def draw(shared: Shared, models: list[Model], n: int, rng: np.random.Generator, expectations: bool = True) -> Rows:
    """Draw n queries and the outcome of every model on them, and say what was to be expected of it if that is asked."""
    questions = ask(shared, n, rng)
    topic, difficulty = questions.topic, questions.difficulty
    log_input = shared.topic_length[topic] + rng.normal(0, 0.5, n)
    input_tokens = np.maximum(1, np.rint(MEAN_INPUT_TOKENS * np.exp(log_input) / np.exp(log_input).mean()))
    expected_log_length = shared.topic_length[topic] + LENGTH_BY_DIFFICULTY * difficulty
    log_length = expected_log_length + rng.normal(0, 0.3, n)
    shape = (n, len(models))
    quality, cost_usd, output_tokens = np.empty(shape), np.empty(shape), np.empty(shape, dtype=np.int64)
    expected = {name: np.empty(shape) for name in EXPECTED} if expectations else {}
    for k, model in enumerate(models):
        hardness, n_right = hardness_for(shared, questions, k), round(model.quality * n)
        quality[:, k] = lowest(hardness - rng.logistic(size=n), n_right)
        length = np.exp(log_length + rng.normal(0, 0.25, n))
        mean_output = (1e6 * model.cost_usd - model.input_usd_per_million * input_tokens.mean()) / (
            model.output_usd_per_million
        )
        output_tokens[:, k] = np.maximum(1, np.rint(length * mean_output / length.mean()))
        cost_usd[:, k] = paid_usd(model, input_tokens, output_tokens[:, k])
        if expectations:
            expected_length = np.exp(expected_log_length)
            tokens = np.maximum(1.0, expected_length * mean_output / expected_length.mean())
            of_model = (chances(hardness, n_right), paid_usd(model, input_tokens, tokens), tokens)
            for name, values in zip(EXPECTED, of_model, strict=True):
                expected[name][:, k] = values
    return Rows(
        embeddings=questions.embeddings,
        input_tokens=input_tokens.astype(np.int64),
        quality=quality,
        cost_usd=cost_usd,
        output_tokens=output_tokens,
        source=questions.names(),
        expected_quality=expected.get("expected_quality"),
        expected_cost_usd=expected.get("expected_cost_usd"),
        expected_output_tokens=expected.get("expected_output_tokens"),
    )


def paid_usd(model: Model, input_tokens: FloatArray, output_tokens: FloatArray | IntArray) -> FloatArray:
    """Return what queries of these lengths (n,) cost at the list price of a model."""
    paid = input_tokens * model.input_usd_per_million + output_tokens * model.output_usd_per_million
    return np.asarray(paid / 1e6)
