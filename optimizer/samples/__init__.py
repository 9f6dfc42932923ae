"""What recorded samples say of exits: shares, estimators, intervals."""
