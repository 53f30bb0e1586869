"""Models for other programs: the downscaler and the upscaler as ONNX files."""
