"""One question asked of several networks: the plans of all in one order, each with the network that it is of."""
