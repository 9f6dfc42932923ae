"""Faster ways for frames than gRPC, between two that agreed on one: a stream over TCP, and memory that both share."""
