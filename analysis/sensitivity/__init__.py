"""How the best plan follows conditions: which plans are among the best, what staying costs, and what matters most."""
