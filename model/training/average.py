"""The average of a network's weights over its last steps, which ranks better than any of them."""

from copy import deepcopy

import torch

from cipherlens.model.networks.network import RetrievalNetwork


class Average:
    """A network whose weights, and statistics of norms, follow another's slowly.

    After step t it is `decay` of what it was and the rest of the other, but at most
    (1 + t) / (10 + t) of what it was: at first, where the other learns fast, it is close behind.
    """

    def __init__(self, network: RetrievalNetwork, decay: float) -> None:
        """Begin with a copy of the network."""
        self.network: RetrievalNetwork = deepcopy(network).requires_grad_(requires_grad=False)
        self._decay = decay

    @torch.no_grad()
    def follow(self, network: RetrievalNetwork, step: int) -> None:
        """Take in the network after a step, counted from 0 over the whole training."""
        share = 1 - min(self._decay, (1 + step) / (10 + step))
        kept, other = (each.state_dict() for each in (self.network, network))
        for name, tensor in kept.items():
            if tensor.is_floating_point():
                tensor.lerp_(other[name], share)
            else:
                tensor.copy_(other[name])
