"""Sweeps: models x topologies x conditions x questions, solved in batches, here or on a cluster, into Parquet."""
