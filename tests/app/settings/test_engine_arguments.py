import pytest

from app.errors import NotConfigured
from app.settings import Settings
from app.settings.engine_arguments import engine_arguments, option


def test_they_are_split_as_a_shell_does():
    given = Settings(engine_arguments="""--kv-cache-dtype fp8 --hf-overrides '{"a": 1}' -tp 2 --seed -1 -O3""")
    assert given.extra_engine_arguments == (
        *("--kv-cache-dtype", "fp8", "--hf-overrides", '{"a": 1}', "-tp", "2", "--seed", "-1", "-O3"),
    )
    assert Settings().extra_engine_arguments == ()


@pytest.mark.parametrize(
    "name",
    [
        *("--middleware", "--host", "--port", "--uds", "--api-key", "--served-model-name", "--trust-remote-code"),
        *("--lora-modules", "--fully-sharded-loras", "--default-mm-loras", "--config", "--generation-config"),
        *("--ssl-keyfile", "--enable-ssl-refresh", "--root-path", "--grpc", "--grpc-port", "--headless"),
        # vLLM's other spellings of the same.
        *("--api_key", "--trust_remote_code", "--trust", "--midd", "--no-trust-remote-code", "--ho", "--lora_modules"),
        *("--structured-outputs-config.backend", "--structured-outputs-config={}", "--no-disable-fastapi-docs"),
    ],
)
def test_what_kyujang_sets_itself_is_refused_by_name(name: str):
    for text in (name, f"--seed 1 {name} x", f"--seed 1 {name}=x"):
        with pytest.raises(NotConfigured) as refused:
            Settings(engine_arguments=text)
        assert name.partition("=")[0] in refused.value.detail
        assert "Kyujang sets itself" in refused.value.detail


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("--max-model-len 100", "ENGINE_CONTEXT_TOKENS"),
        ("--max_model_len=100", "ENGINE_CONTEXT_TOKENS"),
        ("--model other", "KYUJANG_MODEL"),
        ("-q fp8", "KYUJANG_QUANTIZATION"),
        ("-qfp8", "KYUJANG_QUANTIZATION"),
        ("--quant fp8", "KYUJANG_QUANTIZATION"),
        ("--max-lora-rank 8", "KYUJANG_MAX_LORA_RANK"),
        ("--no-enable-lora", "KYUJANG_MAX_LORAS"),
    ],
)
def test_what_a_setting_sets_is_refused_with_the_setting(text: str, setting: str):
    with pytest.raises(NotConfigured, match=setting):
        engine_arguments(text)


@pytest.mark.parametrize(
    "text",
    [
        "--quantization-config '{}'",
        "--config-format mistral",
        "--api-server-count 1",
        "--model-impl transformers",
        "--max-num-seqs 8",
        "--chat-template /a/b.jinja",
        "--hf-config-path /host/port",
    ],
)
def test_the_others_are_the_operator_s(text: str):
    assert engine_arguments(text)


@pytest.mark.parametrize("text", ["'--seed 1", "seed 1", "serve --seed 1"])
def test_what_is_not_a_list_of_arguments_is_refused(text: str):
    with pytest.raises(NotConfigured, match="KYUJANG_ENGINE_ARGUMENTS"):
        Settings(engine_arguments=text)


def test_the_last_value_counts_in_any_spelling():
    given = engine_arguments("--gpu-memory-utilization 0.8 --seed 1 --gpu_memory_utilization=0.5")
    assert option(given, "--gpu-memory-utilization") == "0.5"
    assert option(given, "--seed") == "1"
    assert option(given, "--tensor-parallel-size", "-tp") is None


def test_the_context_has_compose_s_name(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ENGINE_CONTEXT_TOKENS", "16384")
    assert Settings().engine_context_tokens == 16384
