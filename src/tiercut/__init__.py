"""tiercut: where to cut a deep neural network, where samples may leave early, and which machine runs each piece."""

__version__ = "0.1.0"
