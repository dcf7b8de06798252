"""python -m app.up.install: the app's virtual environment, for `make up`, which installs the engine's beside its start.

Standard library only; the first thing that runs. `--engine` installs the engine's, `--test` both.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import time
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path

from app.up import gpus, preflight
from app.up.environments import (
    CUDA,
    EXTRAS,
    ROOT,
    UV,
    Environment,
    app_environment,
    audit_environment,
    engine_environment,
    extras_for,
)
from app.up.progress import Progress
from app.up.sources import InstallFailed, attempts, bundle, sources, verify
from app.up.steps import Steps

NICENESS = 10
APP_GB, ENGINE_CPU_GB, ENGINE_GPU_GB = 2.5, 2.5, 12.0
CUDA_GB = 6.0
# Of a process that imports, to compile, whatever this machine's environment.
COMPILING = {"PYTHONDONTWRITEBYTECODE": "", "HF_HUB_OFFLINE": "1"}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m app.up.install")
    parser.add_argument("--test", action="store_true", help="both environments, and what the tests need")
    parser.add_argument("--engine", action="store_true", help="the engine's environment alone")
    options = parser.parse_args(arguments)
    progress = Progress(total=2) if options.test else Progress()
    # nvidia-smi can take seconds.
    gpu = gpus.look().first is not None
    try:
        if (folder := bundle()) is not None and not options.engine:
            verify(folder)
        if options.engine:
            # Whoever waits for the first answer waits for other processes.
            os.nice(NICENESS)
            install_engine(progress, gpu=gpu)
            return 0
        if wants_engine() and not gpu:
            # Before minutes of downloads, and not after them.
            _require(preflight.cpu_engine_platform(), preflight.cpu_flags(), preflight.memory(cpu_engine=True))
        install_app(progress, test=options.test, gpu=gpu)
        if options.test:
            install_engine(progress, gpu=gpu)
    except InstallFailed as error:
        progress.plain(str(error))
        return 1
    except KeyboardInterrupt:
        progress.plain("Interrupted. The next 'make up' starts this step again.")
        return 130
    return 0


def install_app(progress: Progress, *, test: bool, gpu: bool) -> None:
    extras = extras_for(os.environ)
    if unknown := extras - EXTRAS:
        raise InstallFailed(f"EXTRAS names {', '.join(sorted(unknown))}, but there are {', '.join(sorted(EXTRAS))}.")
    app = app_environment(test=test, extras=extras, gpu=gpu and not test)
    needed_gb = APP_GB + (CUDA_GB if CUDA in app.extras else 0)
    if not app.is_installed():
        _require(preflight.python_version(), _venv_check(), preflight.disk(ROOT, needed_gb, purpose="the app"))
    progress.start("App environment", f"Python packages in {app.folder.name} (first time about 1 min, {needed_gb} GB)")
    _ensure(app, progress)


def install_engine(progress: Progress, *, gpu: bool) -> None:
    if not wants_engine():
        progress.skip("Engine environment", "not needed with these settings")
        return
    engine = engine_environment(gpu=gpu)
    needed_gb = ENGINE_GPU_GB if gpu else ENGINE_CPU_GB
    if not engine.is_installed():
        _require(preflight.disk(ROOT, needed_gb, purpose="the engine"))
    kind = "an NVIDIA GPU" if gpu else "CPU"
    progress.start("Engine environment", f"vLLM for {kind} (first time about 1 min, {needed_gb} GB)")
    _ensure(engine, progress)


def install_audit() -> Environment:
    return install_tools(audit_environment(), "Audit environment", "what lists and judges packages")


def install_tools(tools: Environment, name: str, what: str) -> Environment:
    if not tools.is_installed():
        progress = Progress(total=1)
        progress.start(name, f"{what}, in {tools.folder.name}")
        _ensure(tools, progress)
    return tools


def wants_engine() -> bool:
    return os.environ.get("KYUJANG_ENGINE", "vllm") != "none" and not os.environ.get("KYUJANG_LLM_URL")


def _venv_check() -> preflight.Finding:
    missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
    if not missing:
        return preflight.Finding("venv", "ok", "there")
    advice = "Debian and Ubuntu: apt install python3-venv. Elsewhere: install the complete Python."
    return preflight.Finding("venv", "failed", f"this Python has no {' and no '.join(missing)}", advice)


def _require(*checks: preflight.Finding) -> None:
    if bad := preflight.failed(checks):
        raise InstallFailed("\n".join(map(str, bad)))


def _ensure(environment: Environment, progress: Progress) -> None:
    if environment.is_installed():
        progress.done("already installed")
        return
    if environment.was_interrupted():
        progress.note("an earlier install did not finish; starting it again")
    steps = Steps()
    environment.begin()
    with steps.measured("virtual environment"):
        venv.create(environment.folder, with_pip=True)
    found = sources(environment)
    with steps.measured("uv"):
        _pip(environment, UV, progress, found)
    for step in environment.steps:
        with steps.measured(" ".join(Path(word).name or "kyujang" for word in step if not word.startswith("-"))):
            _install(environment, step, progress, found)
    if environment.compiled or environment.imported:
        with steps.measured("bytecode"):
            _compile(environment, progress)
    environment.finish()
    progress.done("installed")
    progress.note(steps.table())


def _install(environment: Environment, step: Sequence[str], progress: Progress, found: Mapping[str, str]) -> None:
    for attempt in attempts(step):
        if (code := _uv(environment, attempt, progress, found)) == 0:
            return
        if "No matching distribution" not in environment.log.read_text(errors="replace"):
            break
    raise _failure(environment, code)


def _uv(environment: Environment, step: Sequence[str], progress: Progress, found: Mapping[str, str]) -> int:
    """Install by uv, which takes a third to two thirds of pip's time (bench/RESULTS.md), or by pip where uv fails.

    What pip then says is what the user sees.
    """
    command = ["uv", "pip", "install", "--python", str(environment.python), "--no-progress", *step]
    return _run(environment, command, progress, found) and _pip(environment, step, progress, found)


def _pip(environment: Environment, step: Sequence[str], progress: Progress, found: Mapping[str, str]) -> int:
    options = ["--no-input", "--progress-bar=off", "--no-compile"]
    return _run(environment, ["pip", "install", *options, *step], progress, found)


def _compile(environment: Environment, progress: Progress) -> None:
    """Compile what a child imports that may write no file; everything else is compiled where it is first imported.

    Files of packages that no Python compiles do not fail it.
    """
    folders = [str(found) for name in environment.compiled for found in environment.packages.glob(name)]
    if folders:
        _run(environment, ["compileall", "-q", "-j", "0", "-x", "/tests?/", *folders], progress)
    if environment.imported:
        _run(environment, [environment.imported], progress, COMPILING)


def _run(
    environment: Environment, module: Sequence[str], progress: Progress, variables: Mapping[str, str] | None = None
) -> int:
    command = [str(environment.python), "-m", *module]
    with environment.log.open("w") as log:
        log.write(f"$ {' '.join(command)}\n")
        log.flush()
        child = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **(variables or {})},
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
        try:
            while child.poll() is None:
                time.sleep(0.2)
                progress.tick(_last_line(environment.log))
        finally:
            child.terminate()
            child.wait()
    return child.returncode


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    return lines[-1].strip() if lines else ""


def _failure(environment: Environment, code: int) -> InstallFailed:
    tail = "\n".join("    " + line for line in environment.log.read_text(errors="replace").splitlines()[-15:])
    without = f" To go on without the engine: {preflight.WITHOUT_ENGINE}." if environment.name == "engine" else ""
    return InstallFailed(
        f"pip ended with {code}:\n{tail}\nThe whole log: {environment.log}\n"
        f"Look at the last lines (network? proxy? disk?), then run the same command again.{without}"
    )


if __name__ == "__main__":
    sys.exit(main())
