import os
import subprocess
import sys

import pytest

from codexctl.app_server_line import read

PLAIN: tuple[dict[str, object], tuple[str, ...]] = ({}, ())


@pytest.mark.parametrize(
    ("line", "read_as"),
    [
        ("app-server", PLAIN),
        ("app-server --listen stdio://", PLAIN),
        ("app-server --listen=stdio://", PLAIN),
        ("app-server --stdio", PLAIN),
        ("--config model=o3 --config a.b=1 app-server --listen stdio://", ({"model": "o3", "a.b": 1}, ())),
        ("-c model=o3 app-server -c a=1", ({"model": "o3", "a": 1}, ())),
        ("-cmodel=o3 app-server -c=a=1 --config=b=2", ({"model": "o3", "a": 1, "b": 2}, ())),
        ("--enable x app-server --disable=y", ({"features.x": True, "features.y": False}, ())),
        ("-m gpt -s read-only -C /tmp --search --oss -anever app-server", PLAIN),
        ("--yolo --add-dir /a --add-dir /b --no-daemon app-server", PLAIN),
        ("app-server --analytics-default-enabled", ({}, ("--analytics-default-enabled",))),
        ("--strict-config app-server --remote-control", ({}, ("--strict-config", "--remote-control"))),
        ("app-server --code-mode-host http://x", ({}, ("--code-mode-host",))),
        ("-c log_dir=/x app-server", ({"log_dir": "/x"}, ("-c log_dir",))),
    ],
)  # fmt: skip
def test_what_a_client_can_stand_in_for(line, read_as):
    """The command lines of the SDK and of editors."""
    assert read(line.split()) == read_as


@pytest.mark.parametrize(
    "line",
    [
        "", "--version", "-V", "exec hello", "login", "-c model=o3 exec app-server", "resume", "mcp-server",
        "app-server generate-json-schema --out /tmp", "app-server daemon version", "app-server proxy --sock /x",
        "app-server --listen unix:///x", "app-server --listen ws://127.0.0.1:1", "app-server --listen off",
        "app-server --listen stdio:// --stdio", "app-server --listen", "app-server -c", "app-server --help", "-h app-server",
        "app-server -c model", "-c =x app-server", "-p work app-server", "--remote unix:///x app-server",
        "-- app-server", "app-server --", "--worktree app-server", "-i picture app-server", "app-server app-server",
        "--new-option value app-server", "-",
        "app-server --print-startup-config", "app-server --new-flag", "--new-flag app-server", "app-server -x",
        "app-server --stdio --stdio", "app-server --stdio=x", "app-server --listen stdio:// --listen stdio://",
        "app-server --analytics-default-enabled --analytics-default-enabled", "app-server --listen=",
        "--analytics-default-enabled app-server", "--stdio app-server", "app-server -m x", "app-server -C /tmp",
        "-m a -m b app-server", "-s odd app-server", "-a odd app-server", "--search --search app-server",
        "--full-auto app-server", "--yolo -a never app-server", "-a never --approve-for-me app-server",
        "--approve-for-me --yolo app-server", "--search=1 app-server", "app-server --code-mode-host x",
        "app-server --strict-config -c bogus=1", "app-server --ws-token-file /x", "app-server --startup-sign-out",
        "app-server --startup-client-info {}", "app-server --cloud-skills-snapshot /x", "app-server --an",
    ],
)  # fmt: skip
def test_what_is_for_the_real_codex(line):
    """Its subcommands, its other transports, and what it refuses: it says best why."""
    assert read(line.split()) is None


def test_toml_is_read_only_where_there_is_some():
    """Most clients give no override, and it would be a third of their start."""
    program = "import sys; from codexctl.app_server_line import read; read(['app-server']); print('tomllib' in sys.modules)"
    unmeasured = {"COVERAGE_PROCESS_START": "", "COVERAGE_PROCESS_CONFIG": ""}
    done = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | unmeasured, capture_output=True, text=True
    )
    assert done.stdout == "False\n"
