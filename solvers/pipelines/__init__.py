"""The plan with the greatest sustainable rate on many machines, with a bound on what any other may have."""
