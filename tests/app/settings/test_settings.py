from __future__ import annotations

from urllib.parse import urlsplit

import pytest

import ingest.__main__
from app.__main__ import main
from app.errors import NotConfigured
from app.settings import Settings
from app.settings.addresses import SERVICE_ROLE
from app.settings.home import default_home
from docs.tools.reference import environment_name

# By default nginx and Amazon's load balancers keep an idle connection so long. They, not we, must be first to close it:
# else a request is lost that they send meanwhile.
PROXY_IDLE_S = 60
# Whose wrong value is in the message.
SHOWN = ("KYUJANG_CORS_ORIGINS", "KYUJANG_PRIVATE_NETWORKS", "KYUJANG_WEBHOOK_HOSTS", "KYUJANG_WEBHOOK_NETWORKS")


def test_the_engine_takes_only_some_ranks():
    assert Settings(max_lora_rank=64).max_lora_rank == 64
    with pytest.raises(NotConfigured, match=r"KYUJANG_MAX_LORA_RANK is one of 1, 8, 16"):
        Settings(max_lora_rank=24)


def test_idle_connections_outlive_a_proxy_s():
    assert Settings().keep_alive_s == 65 > PROXY_IDLE_S


def test_the_service_s_role_gets_a_password_of_its_own():
    settings = Settings(database_url="postgresql://owner:secret@db:5433/kyujang?sslmode=require")
    service, owner = urlsplit(settings.service_url), urlsplit(settings.owner_url)
    assert (service.username, service.hostname, service.port) == (SERVICE_ROLE, "db", 5433)
    assert (service.path, service.query) == (owner.path, owner.query)
    assert service.password not in ("secret", None)
    other = Settings(database_url="postgresql://owner:other@db/kyujang")
    assert urlsplit(other.service_url).password != service.password


def test_a_service_url_of_one_s_own_is_taken_as_it_is():
    url = "postgresql://app:word@db/kyujang"
    settings = Settings(database_url="postgresql://owner:secret@db/kyujang", service_database_url=url)
    assert settings.service_url == url


@pytest.mark.parametrize("key", ["", "a", "가나다", "x" * 23])
def test_a_short_operator_s_key_is_refused_with_what_to_do(key):
    with pytest.raises(NotConfigured, match=r"fewer than 24 characters.*openssl rand -hex 24"):
        Settings(admin_key=key)
    assert Settings(admin_key="x" * 24).admin_key is not None
    assert Settings().admin_key is None


def test_origins_are_listed_with_commas():
    listed = Settings(cors_origins="https://App.example, http://localhost:3000,,tauri://localhost")
    assert listed.allowed_origins == {"https://app.example", "http://localhost:3000", "tauri://localhost"}
    assert Settings().allowed_origins == frozenset()


@pytest.mark.parametrize(
    "listed",
    ["*", "app.example", "https://", "https://app.example/", "https://*.example", "https://a b", "https://u@a"],
)
def test_what_is_no_origin_is_refused(listed):
    with pytest.raises(NotConfigured, match=r"KYUJANG_CORS_ORIGINS: .* is not an origin"):
        Settings(cors_origins=f"https://app.example,{listed}")


@pytest.mark.parametrize("name", sorted(map(environment_name, Settings.model_fields)))
def test_a_line_of_env_without_a_value_is_as_good_as_none(name, monkeypatch):
    monkeypatch.delenv(name, raising=False)
    without = Settings()
    monkeypatch.setenv(name, "")
    assert Settings() == without


@pytest.mark.parametrize("program", [main, ingest.__main__.main])
@pytest.mark.parametrize("name", sorted(map(environment_name, Settings.model_fields)))
def test_nonsense_is_taken_or_refused_in_one_line_that_names_the_setting(name, program, monkeypatch, capsys):
    monkeypatch.setenv(name, "§ nonsense")
    arguments = ["tenant", "list"] if program is main else ["tune", "there-is-no-such-file", "--name", "tone"]
    try:
        Settings()
    except (NotConfigured, ValueError):
        assert program(arguments) == 1
        said = capsys.readouterr().err
        assert name in said
        assert (said.count("\n"), "nonsense" in said) == (1, name in SHOWN)


@pytest.mark.parametrize("password", ["a/b", "a#b", "a?b", "a@b", "a b", "a:b"])
@pytest.mark.parametrize("name", ["DATABASE_URL", "KYUJANG_SERVICE_DATABASE_URL"])
def test_a_password_that_would_be_cut_off_is_refused(name, password, monkeypatch):
    monkeypatch.setenv(name, f"postgresql://kyujang_app:{password}@db:5432/kyujang")
    with pytest.raises(NotConfigured, match=f"^{name} is not .*letters and digits only"):
        Settings()
    for url in (
        "postgresql://kyujang_app:a%2Fb-._~!$*@[::1]:5432/kyujang?sslmode=require",
        "postgres://owner@/kyujang?host=/run/postgresql",
    ):
        monkeypatch.setenv(name, url)
        assert url in (Settings().owner_url if name == "DATABASE_URL" else Settings().service_url)


def test_no_test_reads_what_an_installed_service_keeps():
    assert Settings().home != default_home()
