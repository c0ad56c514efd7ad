"""What a network finds before it has learned anything: cipher-images keep most of the colours."""

import torch

from benchmarks.training import Training
from cipherlens.model.data.images import PreparedImages, split_images
from cipherlens.model.training.recipes import recipe_of


def untrained_map(training: Training, data: PreparedImages) -> float:
    """Return the mAP on the test part with the weights that the training starts from."""
    recipe = recipe_of(training.config, data)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(training.config.seed)
        network = recipe.build()
    tests = data.take(split_images(data, training.config.split).test)
    found = recipe.evaluate(network, tests, training.encryptor, training.config.precision)
    return found.mean_average_precision
