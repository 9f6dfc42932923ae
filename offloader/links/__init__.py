"""Links in user space: what is sent waits for bandwidth and latency, in the sending process."""
