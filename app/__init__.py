import os

# ONNX Runtime reports the machine to its maker unless this is set before it is imported.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

# As in pyproject.toml: an image has no metadata of the package.
__version__ = "0.2.0.dev0"
