"""What a plan takes to be served by others: containers, Kubernetes, Triton, KServe, and a script that measures it."""
