"""Models of other frameworks as ONNX files."""
