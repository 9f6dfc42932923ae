"""Questions as people write them: keywords, bounds as text, query files."""
