"""Streams of frames through plans: queues, drops, and how long each frame takes."""
