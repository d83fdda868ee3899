"""docs/examples/nvim.lua in a real Neovim, through codexd to the real Codex with a scripted model."""

import os
import shutil
import socket
import threading

import pytest

from codexd.protocol.socket_path import socket_path
from tests.e2e.harness import World
from tests.e2e.harness_nvim import Neovim

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not shutil.which("nvim"), reason="Neovim is not installed here"),
]


def test_a_question_about_the_selection_is_answered_in_a_buffer_as_it_comes(world: World) -> None:
    """The very characters of the selection, fenced; then the next turn of the same thread from the answer's buffer."""
    world.start_daemon()
    nvim = Neovim(world)
    nvim.write("local x = '€'\nlocal ```` = '😀'")
    nvim.lua("vim.bo.filetype = 'lua'")
    nvim.type("wvj$:Codex hold it<CR>")
    asked = "hold it\n\n`````lua\nx = '€'\nlocal ```` = '😀'\n`````"
    quoted = "> " + asked.replace("\n", "\n> ")
    answer = nvim.wait_end("You said")
    assert answer == f"{quoted}\n\nYou said: {asked}"

    nvim.type(":Codex hold it<CR>")
    assert nvim.wait_answer("holding it") == f"{answer}\n\n> hold it\n\nholding it"
    world.model.release("it")
    assert nvim.wait_end("released") == f"{answer}\n\n> hold it\n\nholding it, released it"
    assert [seen.prompt for seen in world.model.requests] == [asked, "hold it"]
    assert len({seen.thread_id for seen in world.model.requests}) == 1
    cwds = [thread["cwd"] for thread in world.client().call("thread/list", {})["data"]]
    assert cwds == [str(world.project)]


def test_the_selection_alone_is_the_prompt(world: World) -> None:
    """By character, by line, and as a range; nothing at all is refused."""
    world.start_daemon()
    nvim = Neovim(world)
    nvim.write("eins wörlds zwei\ndrei")
    nvim.type("wve:Codex<CR>")
    nvim.wait_end("You said: wörlds")
    for keys, prompt in (("Vj:Codex<CR>", "eins wörlds zwei\ndrei"), (":2Codex<CR>", "drei")):
        nvim.type(f":1wincmd w | buffer 1<CR>gg{keys}")
        assert nvim.wait_end(f"You said: {prompt}").endswith(f"\n\nYou said: {prompt}")
    nvim.type(":buffer 1<CR>:Codex<CR>")
    nvim.wait_message("nothing to ask")


def test_a_line_and_a_character_may_come_in_pieces(world: World) -> None:
    """Every byte by itself: nothing is decoded before its line is complete."""
    world.start_daemon()
    relay_path = world.root / "relay.sock"
    with socket.socket(socket.AF_UNIX) as relay:
        relay.bind(str(relay_path))
        relay.listen()
        nvim = Neovim(world, {"CODEXD_SOCKET": str(relay_path)})
        nvim.type(":Codex größe €😀 ünd mehr<CR>")
        near, _ = relay.accept()
    with near, world.connect_raw() as far:
        far.settimeout(None)
        pumps = [
            threading.Thread(target=_pump, args=(near, far, 65536)),
            threading.Thread(target=_pump, args=(far, near, 1)),
        ]
        for pump in pumps:
            pump.start()
        try:
            said = "You said: größe €😀 ünd mehr"
            assert nvim.wait_answer(said) == f"> größe €😀 ünd mehr\n\n{said}"
        finally:
            for end in (near, far):
                end.shutdown(socket.SHUT_RDWR)
            for pump in pumps:
                pump.join()


def _pump(source: socket.socket, target: socket.socket, size: int) -> None:
    """Passes on pieces of `size` bytes, until either side is shut down."""
    try:
        while data := source.recv(size):
            target.sendall(data)
    except BrokenPipeError:  # the target was shut down first
        pass


def test_what_codex_asks_is_decided_in_the_menu_or_elsewhere(world: World) -> None:
    """Accepted, declined after the diff was seen, dismissed for others, decided behind the menu."""
    world.start_daemon()
    nvim = Neovim(world)
    nvim.type(":Codex run touch made<CR>")
    nvim.wait_menu()
    nvim.type("1<CR>")
    nvim.wait_end("The output was:")
    assert (world.project / "made").exists()

    patched = world.root / "patched"
    nvim.type(f":Codex patch {patched} new text<CR>")
    nvim.wait_menu()
    nvim.type("3<CR>")
    answer = nvim.wait_end("rejected")
    assert f"{patched}\n```diff\nnew text\n```\n\nThe output was:" in answer
    assert not patched.exists()

    nvim.type(":Codex run echo left-open<CR>")
    nvim.wait_menu()
    nvim.type("<Esc>")
    nvim.wait_message("codexctl approvals accept|decline ")
    asked = nvim.messages.rsplit(maxsplit=1)[1]
    assert world.codexctl("approvals", "accept", asked).returncode == 0
    nvim.wait_end("left-open\n")

    nvim.type(":Codex run echo by-another<CR>")
    nvim.wait_menu()
    (waiting,) = world.client().call("codexd/approvals/list")["approvals"]
    assert world.codexctl("approvals", "accept", str(waiting["id"])).returncode == 0
    world.until(lambda: world.model.requests[-1].body["input"][-1]["type"] == "function_call_output")
    nvim.type("3<CR>")
    nvim.wait_end("by-another\n")


def test_a_turn_that_fails_or_is_stopped_says_so(world: World) -> None:
    """The reason stands in the buffer, where one looks for the answer."""
    world.start_daemon()
    nvim = Neovim(world)
    nvim.type(":Codex fail 400 no such model<CR>")
    assert nvim.wait_end("*failed").startswith("> fail 400 no such model\n\n*failed: ")
    assert "no such model" in nvim.wait_answer("scripted")
    nvim.type(":Codex hold it<CR>")
    nvim.wait_answer("holding it")
    nvim.type(":CodexStop<CR>")
    nvim.wait_end("holding it\n\n*interrupted*")
    nvim.type(":CodexStop<CR>")
    nvim.wait_message("no turn is running")


def test_a_lost_connection_is_told_and_taken_up_again(world: World) -> None:
    """No codexd, then one, then one that goes in the middle of an answer: the thread goes on with the next question."""
    nvim = Neovim(world)
    nvim.type(":Codex hello<CR>")
    assert nvim.wait_answer("codexd start*").startswith(
        f"> hello\n\n*codexd does not listen at {world.socket_path} (ENOENT)"
    )
    daemon = world.start_daemon()
    nvim.type(":Codex hold it<CR>")
    nvim.wait_answer("holding it")
    world.stop(daemon)
    nvim.wait_end("holding it\n\n*")
    world.model.release("it")
    world.start_daemon()
    nvim.type(":Codex again<CR>")
    nvim.wait_end("You said: again")
    assert len({seen.thread_id for seen in world.model.requests}) == 1


def test_the_thread_is_let_go_with_its_buffer(world: World) -> None:
    """A buffer that is deleted in the middle of an answer leaves nothing behind in codexd or in Neovim."""
    world.start_daemon()
    nvim = Neovim(world)
    nvim.type(":Codex hold it<CR>")
    nvim.wait_answer("holding it")
    nvim.type(":bwipeout!<CR>")
    look = world.client("look")

    def followed() -> list[str]:
        clients = look.call("codexd/clients/list")["clients"]
        return [thread for client in clients if client["name"] == "nvim" for thread in client["threads"]]

    world.until(lambda: followed() == [])
    world.model.release("it")
    nvim.type(":Codex hello<CR>")
    nvim.wait_end("You said: hello")
    assert nvim.messages == ""


@pytest.mark.parametrize(
    "environment",
    [
        {"CODEXD_SOCKET": "~/elsewhere.sock"},
        {"XDG_RUNTIME_DIR": "LINK"},
        {"XDG_RUNTIME_DIR": "/run/nobodys"},
        {"XDG_RUNTIME_DIR": "relative"},
        {"XDG_RUNTIME_DIR": "", "XDG_STATE_HOME": "relative"},
        {"XDG_RUNTIME_DIR": "", "XDG_STATE_HOME": "/tmp/not/yet"},
        {"XDG_RUNTIME_DIR": "", "XDG_STATE_HOME": "/proc/1/x"},
        {"XDG_RUNTIME_DIR": ""},
        {"XDG_RUNTIME_DIR": "", "XDG_STATE_HOME": ""},
        {"CODEX_HOME": "/somewhere/else"},
        {"CODEX_HOME": "relative/../home/"},
        {"CODEX_HOME": "LINK"},
        {"CODEX_HOME": ""},
    ],
    ids=str,
)
def test_the_socket_is_where_codexd_has_it(world: World, environment: dict[str, str]) -> None:
    """The rule of floor 0, said again in Lua, has the same answer."""
    (world.root / "link").symlink_to(world.codex_home)
    environment = {name: value.replace("LINK", f"{world.root}/link") for name, value in environment.items()}
    nvim = Neovim(world, environment)
    rule = {**world.env, **environment}
    before = os.getcwd()
    os.chdir(world.project)
    try:
        assert nvim.lua("return codexd.socket_path()") == socket_path(
            {**rule, "CODEXD_SOCKET": environment.get("CODEXD_SOCKET", "").replace("~", rule["HOME"])},
            os.getuid(),
        )
    finally:
        os.chdir(before)
