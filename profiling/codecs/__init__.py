"""Codecs: what crosses a cut in fewer bytes, and back."""
