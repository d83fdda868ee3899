"""The ``config.toml`` that makes a real Codex ask the scripted model, and nobody else.

What is in it beyond the provider, and why (seen with Codex 0.163 and 0.169):

* ``sandbox_mode = "read-only"``: every file change asks for approval, wherever the file is; a turn or thread
  may say otherwise. Then ``/tmp`` counts as outside, because temporary directories are what tests work in.
* ``plugins`` off: a new Codex home would otherwise fetch a plugin catalogue from the internet at its start.
* The two features under development make ``ask`` and ``permissions`` work in every turn; Codex would warn
  about them once per thread, hence ``suppress_unstable_features_warning``.
* The model's name is unknown to Codex: one ``warning`` about model metadata per turn, harmless. A known name
  would bring that model's own set of tools along.
"""

import json
import sys
from pathlib import Path

from codexd.demo import mcp_server

_OURS = "# Written by codexd's scripted model."

_CONFIG = """\
{ours}
model = "gpt-5.1-codex"
model_provider = "scripted"
approval_policy = "on-request"
sandbox_mode = "read-only"
check_for_update_on_startup = false
suppress_unstable_features_warning = true

[model_providers.scripted]
name = "scripted"
base_url = {base_url}
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0

[sandbox_workspace_write]
exclude_slash_tmp = true
exclude_tmpdir_env_var = true

[features]
plugins = false
default_mode_request_user_input = true
request_permissions_tool = true

[analytics]
enabled = false
"""

_MCP_SERVER = """
[mcp_servers.scripted]
command = {python}
args = [{program}]
"""


def write_config(codex_home: Path, base_url: str, *, mcp: bool) -> None:
    """Writes ``config.toml`` into ``codex_home``, which is made (mode 0700) where it does not exist.

    Raises:
        FileExistsError: there is a ``config.toml`` that is somebody's own.
    """
    codex_home.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = codex_home / "config.toml"
    if target.exists() and not target.read_text(encoding="utf-8").startswith(_OURS):
        raise FileExistsError(f"{target} is not the scripted model's to replace")
    config = _CONFIG.format(ours=_OURS, base_url=_quoted(base_url))
    if mcp:
        config += _MCP_SERVER.format(python=_quoted(sys.executable), program=_quoted(mcp_server.__file__))
    target.write_text(config, encoding="utf-8")


def _quoted(text: str) -> str:
    """A TOML basic string: JSON's escapes are among TOML's, and surrogate pairs are avoided."""
    return json.dumps(text, ensure_ascii=False)
