"""Files of one kind side by side: answers, profiles, topologies, and what was run, replayed, streamed or swept."""
