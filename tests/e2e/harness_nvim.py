"""A real Neovim without a screen, as a user has it: keys go in, buffers and messages come out."""

import itertools
import os
import subprocess
from pathlib import Path
from typing import Any

import msgspec

from tests.e2e.harness import World

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "nvim.lua"


class Neovim:
    """``nvim --embed`` with the example loaded and set up. It speaks MessagePack-RPC on its stdin and stdout.

    ``environment`` is what it has beyond the world's; by default, the way to the world's codexd.
    """

    def __init__(self, world: World, environment: dict[str, str] | None = None) -> None:
        argv = ["nvim", "--headless", "--embed", "-u", "NONE", "-i", "NONE", "-n"]
        env = {"CODEXD_SOCKET": str(world.socket_path)} if environment is None else environment
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._world = world
        self._process = world.spawn(argv, env=env, stderr=subprocess.DEVNULL, **pipes)
        self._ids = itertools.count(1)
        self.lua("codexd = dofile(...); codexd.setup()", str(EXAMPLE))

    def call(self, method: str, *arguments: object) -> Any:
        """One call of Neovim's API; AssertionError with Neovim's words when it fails."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(msgspec.msgpack.encode([0, next(self._ids), method, arguments]))
        self._process.stdin.flush()
        received = b""
        while True:
            more = os.read(self._process.stdout.fileno(), 1 << 20)
            assert more, "Neovim has ended"
            received += more
            try:
                _, _, error, result = msgspec.msgpack.decode(received)
            except msgspec.DecodeError:  # the answer is not complete yet
                continue
            assert error is None, error
            return result

    def lua(self, code: str, *arguments: object) -> Any:
        """What the Lua code returns."""
        return self.call("nvim_exec_lua", code, arguments)

    def type(self, keys: str) -> None:
        """Presses keys, ``<CR>`` and the like among them."""
        self.call("nvim_input", keys)

    def write(self, text: str) -> None:
        """Makes ``text`` all that the current buffer holds."""
        self.call("nvim_buf_set_lines", 0, 0, -1, True, text.split("\n"))

    @property
    def answer(self) -> str:
        """The text of the newest buffer."""
        newest = "return table.concat(vim.api.nvim_buf_get_lines(vim.fn.bufnr('$'), 0, -1, true), '\\n')"
        return str(self.lua(newest))

    @property
    def messages(self) -> str:
        """All that Neovim has told its user."""
        return str(self.call("nvim_exec", "messages", True))

    def wait_answer(self, wanted: str) -> str:
        """Waits until ``wanted`` stands in the newest buffer; the whole buffer."""
        try:
            self._world.until(lambda: wanted in self.answer)
        except AssertionError as late:
            raise AssertionError(
                f"{late}; the buffer has\n{self.answer}\nand Neovim said\n{self.messages}"
            ) from late
        return self.answer

    def wait_end(self, wanted: str) -> str:
        """Waits until ``wanted`` stands in the newest buffer and its turn has ended; the whole buffer."""
        self.wait_answer(wanted)
        self._world.until(lambda: self.call("nvim_eval", "getbufvar(bufnr('$'), 'codexd_turn')") == "")
        return self.answer

    def wait_message(self, wanted: str) -> None:
        """Waits until Neovim has told ``wanted``."""
        self._world.until(lambda: wanted in self.messages)

    def wait_menu(self) -> None:
        """Waits until Neovim waits for a key: until then, and only then, it answers no other call."""
        self._world.until(lambda: self.call("nvim_get_mode")["blocking"])
