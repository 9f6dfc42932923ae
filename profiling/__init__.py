"""Profiles: the file, the blocks and exits of a Keras model, training, timing and recording."""
