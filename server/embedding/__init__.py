"""Networks at work: a bounded queue in front of each, so that calls share its batches."""

from cipherlens.server.embedding.loading import have_direction
from cipherlens.server.embedding.models import EmbeddingModels
from cipherlens.server.embedding.queue import EmbeddingQueue, ModelReleased

__all__ = ["EmbeddingModels", "EmbeddingQueue", "ModelReleased", "have_direction"]
