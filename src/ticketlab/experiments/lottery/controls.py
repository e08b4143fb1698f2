"""Controls of a ticket: other weights and masks to train in its place, from a round of a finished chain, in NumPy.

Each control changes one thing about a ticket and leaves the rest: the weights, which of a layer's weights are kept, or
how the mask was found (Frankle & Carbin 2019, arXiv 1803.03635; Zhou et al. 2019, arXiv 1905.01067). To add one, write
a function ``(facts) -> (weights, masks)`` and add its entry to `CONTROLS`. This module does not know files, networks or
training.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np

from ticketlab.random_streams import stream
from ticketlab.sparsity import criteria, masks, pruning
from ticketlab.sparsity.masks import Arrays

Ticket = tuple[Arrays, Arrays]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The facts of a round and its chain that controls use.

    Attributes:
        seed: seed of the replicate; every draw comes from a stream of it, named after the control.
        round: number of the round in whose ticket's place the control is trained.
        origin: all weights to which the rounds rewind, {path: array}.
        initial: all weights at iteration 0; the same as `origin` where the rounds rewind to iteration 0.
        dense: all weights at the end of round 0.
        masks: masks of this round, {path: bool array}.
        fresh: function that draws new initial weights of the whole network.
        criterion: the chain's pruning criterion, a name of `criteria.CRITERIA`.
        scope: the chain's pruning scope, a name of `pruning.SCOPES`.
        held: paths of the layers that are not pruned.
    """

    seed: int
    round: int
    origin: Arrays
    initial: Arrays
    dense: Arrays
    masks: Arrays
    fresh: Callable[[], Arrays]
    criterion: str
    scope: str
    held: Collection[str] = ()


@dataclass(frozen=True)
class Control:
    """One control: how its ticket is made, and how it is trained.

    Attributes:
        words: the papers' term for it, in figures and tables, which show controls in the order of `CONTROLS`.
        choose: function of the facts that gives weights and masks; the weights need not be masked yet.
        trained: whether the control is trained; False where it is the untrained network.
        from_beginning: whether it trains from iteration 0 even if the chain rewinds to a later one.
    """

    words: str
    choose: Callable[[Facts], Ticket]
    trained: bool = True
    from_beginning: bool = False

    def make(self, facts: Facts) -> tuple[dict[str, np.ndarray], Arrays]:
        """Return the control's weights, exactly 0 where masked, and its masks."""
        weights, mask = self.choose(facts)
        return masks.apply(weights, mask), mask


def random_reinit(facts: Facts) -> Ticket:
    """Put freshly drawn initial weights under the ticket's mask (Frankle & Carbin 2019, section 2)."""
    return facts.fresh(), facts.masks


def shuffled_mask(facts: Facts) -> Ticket:
    """Permute each layer's mask over its positions, in all rounds alike, so the shuffled masks are nested as well."""
    shuffled = {}
    for path, mask in facts.masks.items():
        order = stream(facts.seed, "shuffled mask", path).permutation(mask.size)
        shuffled[path] = mask.ravel()[order].reshape(mask.shape)
    return facts.origin, shuffled


def random_masks(facts: Facts) -> Ticket:
    """Draw masks of the ticket's layer densities, anew in each round."""
    return facts.origin, masks.random_masks(facts.masks, stream(facts.seed, "random masks", facts.round))


def shuffled_weights(facts: Facts) -> Ticket:
    """Permute the kept weights' values among the kept positions of each layer (Zhou et al. 2019, section 4: reshuffle).

    Biases and other variables without a mask stay as they are.
    """
    weights = dict(facts.origin)
    for path, mask in facts.masks.items():
        weights[path] = weights[path].copy()
        drawn = stream(facts.seed, "shuffled weights", facts.round, path)
        weights[path][mask] = drawn.permutation(weights[path][mask])
    return weights, facts.masks


def one_shot(facts: Facts) -> Ticket:
    """Prune at once instead of round by round, from round 0's final weights and by the chain's criterion.

    It keeps as many weights as the ticket: in each layer or, in the scope "global", in all pruned layers together
    (Frankle & Carbin 2019, section 2: one-shot pruning).
    """
    scores = criteria.score(
        facts.criterion, facts.masks, facts.initial, facts.dense, stream(facts.seed, "one-shot pruning")
    )
    dense = masks.all_kept(facts.origin, facts.masks)
    if facts.scope == "layer":
        return facts.origin, pruning.keep(dense, scores, masks.counts(facts.masks))
    ticket, pruned = (
        {path: mask for path, mask in each.items() if path not in facts.held} for each in (facts.masks, dense)
    )
    return facts.origin, {**dense, **pruning.keep(pruned, scores, masks.kept(ticket))}


def constant_signs(facts: Facts) -> Ticket:
    """Put `signed_constant` of the origin under the ticket's mask."""
    return signed_constant(facts.origin, facts.masks), facts.masks


def supermask(facts: Facts) -> Ticket:
    """Leave the ticket as it is, to be evaluated untrained (Zhou et al. 2019, section 5)."""
    return facts.origin, facts.masks


def signed_constant(initial: Arrays, paths: Collection[str]) -> dict[str, np.ndarray]:
    """Replace each kernel's values by their sign times the standard deviation of its layer (arXiv 1905.01067, sec. 4).

    >>> signed_constant({"k": np.array([3.0, -1.0])}, ["k"])
    {'k': array([ 2., -2.])}
    """
    return {path: np.sign(value) * value.std() if path in paths else value for path, value in initial.items()}


CONTROLS: dict[str, Control] = {
    "random_reinit": Control("random reinitialisation", random_reinit, from_beginning=True),
    "shuffled_mask": Control("mask shuffled", shuffled_mask),
    "random_masks": Control("random masks", random_masks),
    "shuffled_weights": Control("weights shuffled", shuffled_weights),
    "signed_constant": Control("signed constant", constant_signs),
    "one_shot": Control("one-shot", one_shot),
    "supermask": Control("supermask (untrained)", supermask, trained=False),
}

# weights from which the rounds of a chain may start: those of the training, or those of a control in every round
WEIGHTS_FROM: dict[str, Control | None] = {
    "rewind": None,
    "final": None,
    "fresh": CONTROLS["random_reinit"],
    "signed_constant": CONTROLS["signed_constant"],
    "shuffled_weights": CONTROLS["shuffled_weights"],
}
