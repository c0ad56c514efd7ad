"""How well a network ranks: rankings, their measures, and the agreement of two of them."""
