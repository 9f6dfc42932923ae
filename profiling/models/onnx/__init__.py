"""ONNX files: read, folded, cut and run in pieces by ONNX Runtime; nothing here is imported before it is needed."""
