"""How far each attack gets: its pictures, keys and seeds, and the tables that come of it."""
