import os
import socket
from pathlib import Path

import pytest

from app.up import preflight
from app.up.preflight import GB
from tests.conftest import ROOT


def test_an_old_python_is_refused_with_advice():
    check = preflight.python_version((3, 10, 13))
    assert check.result == "failed"
    assert "3.11 or newer" in check.advice
    assert preflight.python_version((3, 13, 0)).result == "ok"


@pytest.mark.parametrize(
    ("system", "machine", "libc", "result"),
    [
        ("Linux", "x86_64", "glibc", "ok"),
        ("Linux", "aarch64", "glibc", "ok"),
        ("Linux", "x86_64", "", "failed"),
        ("Linux", "riscv64", "glibc", "failed"),
        ("Darwin", "arm64", "", "failed"),
    ],
)
def test_the_cpu_engine_wants_linux_with_glibc(system: str, machine: str, libc: str, result: str):
    check = preflight.cpu_engine_platform(system, machine, libc)
    assert check.result == result
    assert ("KYUJANG_ENGINE=none" in check.advice) == (result == "failed")


def test_a_cpu_without_avx2_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    cpuinfo = tmp_path / "cpuinfo"
    monkeypatch.setattr("app.cpu.CPUINFO", cpuinfo)
    cpuinfo.write_text("processor\t: 0\nflags\t\t: fpu sse4_2 avx\n")
    check = preflight.cpu_flags("x86_64")
    assert check.result == "failed"
    assert "KYUJANG_LLM_URL" in check.advice

    cpuinfo.write_text("processor\t: 0\nflags\t\t: fpu avx avx2\n")
    assert preflight.cpu_flags("x86_64").result == "ok"
    assert preflight.cpu_flags("aarch64").result == "ok"


def test_memory_depends_on_the_engine():
    assert preflight.memory(cpu_engine=True, total=4 * GB).result == "failed"
    assert "KYUJANG_ENGINE=none" in preflight.memory(cpu_engine=True, total=4 * GB).advice
    assert preflight.memory(cpu_engine=False, total=4 * GB).result == "ok"
    assert preflight.memory(cpu_engine=False, total=1 * GB).result == "failed"
    assert preflight.total_memory() > GB


def test_disk_is_measured_where_the_folder_will_be(tmp_path: Path):
    folder = tmp_path / "not" / "there" / "yet"
    assert preflight.disk(folder, 0.001, purpose="documents").result == "ok"
    refused = preflight.disk(folder, 10_000_000, purpose="documents")
    assert refused.result == "failed"
    assert str(folder) in refused.found


def test_a_taken_port_is_named_with_its_holder_and_another_one():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        check = preflight.port("127.0.0.1", number)

        assert check.result == "failed"
        assert f"KYUJANG_PORT={number + 1}" in check.advice
        assert f"(pid {os.getpid()})" in check.found
    assert preflight.port("127.0.0.1", number).result == "ok"


def test_an_address_that_is_not_ours_is_refused_without_naming_a_holder():
    check = preflight.port("203.0.113.7", 8000)
    assert check.result == "failed"
    assert "holds it" not in check.found


def test_a_home_that_cannot_be_made_is_refused(tmp_path: Path):
    file = tmp_path / "file"
    file.touch()
    check = preflight.home_folder(file / "home")
    assert check.result == "failed"
    assert "KYUJANG_HOME" in check.advice


def test_a_home_closed_to_the_database_account_is_refused_and_left_as_it_is(tmp_path: Path):
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    check = preflight.home_folder(home, lambda folder: False, "postgres")
    assert check.result == "failed"
    assert "postgres" in check.found
    assert str(home) in check.found
    assert home.stat().st_mode & 0o777 == 0o700


def test_a_home_we_make_can_be_passed_through_but_not_listed(tmp_path: Path):
    home = tmp_path / "규장" / "home"
    assert preflight.home_folder(home).result == "ok"
    assert home.stat().st_mode & 0o777 == 0o711
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("page", ["README.md", "README.ko.md"])
def test_the_readme_names_what_is_checked(page):
    start = (ROOT / page).read_text().split("```")[0]
    for cpu_engine, total in ((True, 6), (False, 2)):
        assert preflight.memory(cpu_engine=cpu_engine, total=total * GB).result != "failed"
        assert preflight.memory(cpu_engine=cpu_engine, total=(total - 1) * GB).result == "failed"
        assert f"{total} GB" in start
    assert all(each in start for each in ("AVX2", "glibc", "1.5 GB", "KYUJANG_ENGINE=none"))


def test_without_libreoffice_the_preflight_says_what_is_refused_and_warns_of_nothing():
    assert preflight.old_office(installed=True).result == "ok"
    lacking = preflight.old_office(installed=False)
    assert lacking.result == "ok"
    assert "doc, xls and ppt are refused. apt-get install libreoffice-core" in lacking.found


def test_without_tesseract_the_preflight_says_what_is_lost():
    assert preflight.ocr(installed=True).result == "ok"
    lacking = preflight.ocr(installed=False)
    assert lacking.result == "warning"
    assert "scanned pages and pictures are not read" in lacking.advice
