"""How well methods find pictures, and how unlike the pictures their cipher-images are."""
