import io

from app.up.progress import Progress


class ClosedTerminal(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(5, "Input/output error")


def test_stages_are_numbered_and_timed():
    out = io.StringIO()
    progress = Progress(first=3, total=7, out=out)
    progress.start("Checks", "this machine")
    progress.done("ready")
    progress.start("Database", "embedded")

    lines = out.getvalue().splitlines()
    assert lines[0] == "[3/7] Checks: this machine …"
    assert lines[1].strip().startswith("ready (0.")
    assert lines[2] == "[4/7] Database: embedded …"


def test_in_a_log_ticks_are_rare():
    out = io.StringIO()
    progress = Progress(out=out)
    progress.start("Install", "packages")
    for _ in range(100):
        progress.tick("Collecting torch")
    assert out.getvalue().count("\n") == 1


def test_a_closed_terminal_does_not_stop_the_stopping():
    progress = Progress(out=ClosedTerminal())
    progress.plain("stopping postgres")
    progress.done()
