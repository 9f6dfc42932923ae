"""What a hop takes by each transport, beside raw sockets, bare gRPC and a stock server of the protocol."""
