"""Black-box attacks that see decisions only: walks along the boundary."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from ..errors import ShapeError, shape_text
from ..inspection import as_variable
from ..tensor import Tensor
from .attack import MinimalAttack
from .bounds import BoundedModel
from .criteria import Criterion
from .evaluation import choose, column, generators, like, logits_of, pick, put
from .line import drawn_back
from .norms import L2, Linf, as_norm

_TRIES = 50  # random images tried as a start


class DecisionAttack(MinimalAttack):
    """Start at an image that fools, and walk towards x without ceasing to fool.

    The start is the nearest of `starts`, a pool of images N×…, that meets the criterion; without
    a pool, uniform noise blended with x. Towards a target class noise seldom serves: give images
    of that class. A sample without a start comes back as it was.

    Raises ShapeError for a pool of images of another shape.
    """

    def __init__(self, starts: Any, seed: int) -> None:
        self.starts, self.seed = starts, seed

    @abstractmethod
    def walk(
        self,
        model: BoundedModel,
        x: Tensor,
        moved: Tensor,
        criterion: Criterion,
        draws: list[np.random.Generator],
    ) -> Tensor:
        """From images that fool to nearer ones that do."""

    def run(
        self,
        model: BoundedModel,
        x: Tensor,
        criterion: Criterion,
        epsilon: np.ndarray | None = None,
    ) -> Tensor:
        draws = generators(x, self.seed)
        begin, fooled = self._begin(model, x, criterion, draws)
        places = np.flatnonzero(fooled)
        if not places.size:
            return x
        wanted, part = criterion.select(places), pick(x, places)
        begin = drawn_back(model, part, pick(begin, places), wanted)
        moved = self.walk(model, part, begin, wanted, [draws[place] for place in places])
        return put(x, places, moved)

    def _begin(self, model, x: Tensor, criterion: Criterion, draws) -> tuple[Tensor, np.ndarray]:
        if self.starts is not None:
            return self._from_pool(model, x, criterion)
        begin, fooled = x, np.zeros(len(x), bool)
        for attempt in range(_TRIES):
            pending = np.flatnonzero(~fooled)
            if not pending.size:
                break
            part = pick(x, pending)
            noise = like(
                np.stack([draws[p].uniform(*model.bounds, x.shape[1:]) for p in pending]), x
            )
            share = min(1.0, (attempt + 1) / 10)  # the first tries keep a part of x
            trial = (part + share * (noise - part)).clip(*model.bounds)
            met = criterion.select(pending).is_met(logits_of(model, trial))
            begin = put(begin, pending, choose(met, trial, part))
            fooled[pending] = met
        return begin, fooled

    def _from_pool(self, model, x: Tensor, criterion: Criterion) -> tuple[Tensor, np.ndarray]:
        pool = as_variable(self.starts).detach()
        if pool.shape[1:] != x.shape[1:]:
            raise ShapeError(
                f"the starts are images of {shape_text(pool.shape[1:])}, x of "
                f"{shape_text(x.shape[1:])}"
            )
        logits, begin, fooled = logits_of(model, pool), x, np.zeros(len(x), bool)
        for place in range(len(x)):
            met = criterion.select(np.full(len(pool), place)).is_met(logits)
            if met.any():
                candidates = pick(pool, np.flatnonzero(met))
                here = np.array([place])
                far = self.norm.distance(candidates, pick(x, here))
                begin = put(begin, here, pick(candidates, np.array([far.argmin()])))
                fooled[place] = True
        return begin, fooled


class Boundary(DecisionAttack):
    """A random walk on the sphere around x, with a step inwards each time (Brendel 2018).

    A proposal is a random move of length `spherical_step`·‖δ‖ on the sphere, then `source_step`·‖δ‖
    towards x; it is taken if it still fools. Every ten steps both lengths are adapted so that
    about half of the spherical moves and a fifth of the whole ones succeed.
    """

    norm = L2()

    def __init__(
        self,
        steps: int = 5000,
        spherical_step: float = 0.05,
        source_step: float = 0.05,
        starts: Any = None,
        seed: int = 0,
    ) -> None:
        super().__init__(starts, seed)
        if steps < 1 or not spherical_step > 0 or not source_step > 0:
            raise ValueError(
                f"Boundary: at least 1 step and step sizes above 0, got {steps}, "
                f"{spherical_step} and {source_step}"
            )
        self.steps, self.spherical_step, self.source_step = steps, spherical_step, source_step

    def walk(self, model, x, moved, criterion, draws):
        original = x.numpy().reshape(len(x), -1).astype(np.float64)
        spherical, source = (np.full(len(x), v) for v in (self.spherical_step, self.source_step))
        on_sphere, inside = np.zeros(len(x)), np.zeros(len(x))
        for step in range(1, self.steps + 1):
            offset = original - moved.numpy().reshape(len(x), -1)
            length = np.linalg.norm(offset, axis=1, keepdims=True)
            noise = np.stack([draw.standard_normal(original.shape[1]) for draw in draws])
            inwards = offset / np.maximum(length, 1e-12)
            noise -= (noise * inwards).sum(axis=1, keepdims=True) * inwards
            noise *= spherical[:, None] * length / np.linalg.norm(noise, axis=1, keepdims=True)
            around = noise - offset
            around *= length / np.maximum(np.linalg.norm(around, axis=1, keepdims=True), 1e-12)
            sphere = self._images(original + around, x, model)
            nearer = self._images(original + around * (1 - source[:, None]), x, model)
            on_sphere += criterion.is_met(logits_of(model, sphere))
            met = criterion.is_met(logits_of(model, nearer))
            closer = self.norm.distance(nearer, x) < length[:, 0]
            moved = choose(met & closer, nearer, moved)
            inside += met
            if step % 10 == 0:
                spherical *= np.where(on_sphere > 5, 1.3, np.where(on_sphere < 2, 1 / 1.3, 1.0))
                source *= np.where(inside > 2, 1.3, np.where(inside < 1, 1 / 1.3, 1.0))
                source = np.minimum(source, 0.5)
                on_sphere, inside = np.zeros(len(x)), np.zeros(len(x))
        return moved

    @staticmethod
    def _images(flat: np.ndarray, x: Tensor, model: BoundedModel) -> Tensor:
        return like(flat.reshape(x.shape), x).clip(*model.bounds)


class HopSkipJump(DecisionAttack):
    """Estimate the gradient at the boundary, jump along it, bisect back (Chen et al. 2020).

    At step t the direction is the mean of `evaluations`·√t random directions (`most` at most),
    each with the sign of whether it fools; the jump is ‖δ‖/√t, halved until it fools. Norms: "l2"
    and "linf".
    """

    def __init__(
        self,
        norm: str = "l2",
        steps: int = 30,
        evaluations: int = 100,
        most: int = 10_000,
        starts: Any = None,
        seed: int = 0,
    ) -> None:
        super().__init__(starts, seed)
        if steps < 1 or evaluations < 2 or most < 2:
            raise ValueError(
                "HopSkipJump: at least 1 step and 2 evaluations, got "
                f"{steps}, {evaluations} and {most}"
            )
        self.norm = as_norm(norm, {"l2": L2, "linf": Linf}, "HopSkipJump")
        self.steps, self.evaluations, self.most = steps, evaluations, most

    def walk(self, model, x, moved, criterion, draws):
        for place, draw in enumerate(draws):
            here = np.array([place])
            near = self._walk_one(model, pick(x, here), pick(moved, here), criterion, here, draw)
            moved = put(moved, here, near)
        return moved

    def _walk_one(self, model, x, moved, criterion, here, draw):
        for t in range(1, self.steps + 1):
            direction = self._direction(model, x, moved, criterion, here, draw, t)
            size = float(self.norm.distance(moved, x)[0]) / t**0.5
            one = criterion.select(here)
            for _ in range(20):
                trial = (moved + size * direction).clip(*model.bounds)
                if one.is_met(logits_of(model, trial))[0]:
                    break
                size /= 2
            else:
                continue
            trial = self._back(model, x, trial, one)
            if self.norm.distance(trial, x)[0] < self.norm.distance(moved, x)[0]:
                moved = trial
        return moved

    def _back(self, model, x, moved, criterion):
        """To the boundary: along the straight way for L2, by a smaller and smaller box for L∞."""
        if isinstance(self.norm, L2):
            return drawn_back(model, x, moved, criterion)
        low, high, best = 0.0, float(self.norm.distance(moved, x)[0]), moved
        for _ in range(20):
            middle = (low + high) / 2
            trial = self.norm.onto_ball(moved, x, column(np.array([middle]), x))
            if criterion.is_met(logits_of(model, trial))[0]:
                best, high = trial, middle
            else:
                low = middle
        return best

    def _direction(self, model, x, moved, criterion, here, draw, t):
        """The boundary's normal, estimated from decisions around the point."""
        size = float(np.prod(x.shape[1:]))
        many = int(min(self.evaluations * t**0.5, self.most))
        length = float(self.norm.distance(moved, x)[0])
        width = model.bounds[1] - model.bounds[0]
        # the authors' radius of the probes: wide at first, then as fine as the boundary is known
        if t == 1:
            delta = 0.1 * width
        elif isinstance(self.norm, L2):
            delta = length / size
        else:
            delta = length
        shape = (many, *x.shape[1:])
        if isinstance(self.norm, L2):
            probes = draw.standard_normal(shape).reshape(many, -1)
        else:
            probes = draw.uniform(-1.0, 1.0, shape).reshape(many, -1)
        probes /= np.linalg.norm(probes, axis=1, keepdims=True)
        around = (moved + delta * like(probes.reshape(shape), x)).clip(*model.bounds)
        probes = (around - moved).numpy().reshape(many, -1).astype(np.float64) / delta
        wanted = criterion.select(np.full(many, here[0]))
        signs = np.where(wanted.is_met(logits_of(model, around)), 1.0, -1.0)
        mean = signs.mean()
        weights = signs if abs(mean) == 1.0 else signs - mean
        normal = weights @ probes / many
        if isinstance(self.norm, L2):
            normal /= max(float(np.linalg.norm(normal)), 1e-12)
        else:
            normal = np.sign(normal)
        return like(normal.reshape(1, *x.shape[1:]), x)
