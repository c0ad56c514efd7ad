"""How long encryption, search, features, indexes and trapdoors take, and what networks cost."""
