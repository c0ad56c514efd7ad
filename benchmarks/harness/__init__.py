"""What every benchmark stands on: the registry, kept figures, fair rounds, servers, pictures."""
