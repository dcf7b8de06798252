import os

# Both are read at the import. ONNX Runtime reports the machine to its maker, and huggingface_hub asks its hub for
# what is no model: which agents there are, to name one in its requests.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

# As in pyproject.toml: an image has no metadata of the package.
__version__ = "0.2.0.dev0"
