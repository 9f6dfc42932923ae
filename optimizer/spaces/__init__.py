"""What is told of a space of decisions without walking through it, and the pieces that it allows."""
