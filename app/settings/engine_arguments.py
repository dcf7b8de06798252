"""Arguments of vLLM's own that an operator adds, without those that Kyujang sets itself."""

from __future__ import annotations

import shlex

from app.errors import NotConfigured

BY_SETTING = {
    "max-model-len": "ENGINE_CONTEXT_TOKENS",
    "model": "KYUJANG_MODEL",
    "model-tag": "KYUJANG_MODEL",
    "quantization": "KYUJANG_QUANTIZATION",
    "enable-lora": "KYUJANG_MAX_LORAS",
    "max-loras": "KYUJANG_MAX_LORAS",
    "max-cpu-loras": "KYUJANG_MAX_CPU_LORAS",
    "max-lora-rank": "KYUJANG_MAX_LORA_RANK",
}
OURS = (
    *("served-model-name", "host", "port", "uds", "root-path", "api-key", "middleware", "generation-config"),
    *("enable-prompt-tokens-details", "enable-tokenizer-info-endpoint", "disable-fastapi-docs"),
    *("structured-outputs-config", "trust-remote-code", "runner", "grpc", "grpc-port", "headless"),
    # A file in which any of these could stand.
    "config",
)
FAMILIES = {"lora", "loras", "ssl"}


def engine_arguments(text: str) -> tuple[str, ...]:
    """Split as a shell does. Raises NotConfigured with the name of an argument that is not the operator's."""
    try:
        given = tuple(shlex.split(text))
    except ValueError as error:
        raise NotConfigured(f"KYUJANG_ENGINE_ARGUMENTS cannot be read: {error}.") from None
    if given and not given[0].startswith("-"):
        raise NotConfigured(f"KYUJANG_ENGINE_ARGUMENTS begins with {given[0]!r}: an argument begins with '--'.")
    for word in given:
        if word.startswith("-"):
            _refuse_ours(word.partition("=")[0])
    return given


def option(given: tuple[str, ...], *names: str) -> str | None:
    """Return the last value that one of these names has."""
    value = None
    for word, following in zip(given, (*given, "")[1:], strict=True):
        name, equals, own = word.partition("=")
        if name.replace("_", "-") in names:
            value = own if equals else following
    return value


def _refuse_ours(name: str) -> None:
    """Refuse a name in each of vLLM's spellings: underscores, its first letters, `--no-…`, a field after a dot."""
    if not name.startswith("--"):
        if not name.startswith("-q"):
            return
        name = "--quantization"
    bare = name.removeprefix("--").replace("_", "-").partition(".")[0].removeprefix("no-")
    setting = next((BY_SETTING[each] for each in BY_SETTING if each.startswith(bare)), None)
    if setting:
        raise NotConfigured(f"KYUJANG_ENGINE_ARGUMENTS has {name}, which {setting} sets.")
    if any(each.startswith(bare) for each in OURS) or not FAMILIES.isdisjoint(bare.split("-")):
        raise NotConfigured(f"KYUJANG_ENGINE_ARGUMENTS has {name}, which Kyujang sets itself: leave it out.")
