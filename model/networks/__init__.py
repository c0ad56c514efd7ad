"""Networks: their settings, layers and cost, and the weights that they may start from."""
