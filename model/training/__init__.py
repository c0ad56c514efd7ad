"""The training of a network: batches, losses, steps, and the state that it resumes from."""
