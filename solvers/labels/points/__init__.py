"""What labels in several measures are compared with and pruned by: points that are known, and what is ahead."""
