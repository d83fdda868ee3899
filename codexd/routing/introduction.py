"""What a client says of itself in `initialize`, as far as codexd acts upon it.

What can't be read is left to Codex, which says what it expects, in its own words and as its version wants it.
"""

import re

import msgspec
from msgspec import Raw, Struct, UnsetType

ALREADY = "Already initialized"
"""Codex's words for an `initialize` that it can read, and that comes after another one."""
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\U0010ffff]*")


class Codexd(Struct):
    """`capabilities.codexd`, for clients that know codexd.

    `cwd` and `config` are those of a process that stands in for Codex: its working directory, and its `-c` overrides
    by dotted key. They count for this connection as they would for a Codex of its own.
    """

    seq: bool = False
    cwd: str | None = None
    config: dict[str, Raw] | None = None


class _ClientInfo(Struct):
    name: str
    version: str
    title: str | None = None


class _Capabilities(Struct, rename="camel"):
    experimental_api: bool = False
    request_attestation: bool = False
    required_human_approval: bool = False
    explicit_gateway_oauth: bool = False
    mcp_server_openai_form_elicitation: bool = False
    extensions: dict[str, Raw] | None = None
    opt_out_notification_methods: list[str] | None = None
    codexd: Codexd | None = None


class _Params(Struct, rename="camel"):
    client_info: _ClientInfo
    capabilities: _Capabilities | None = None


_params = msgspec.json.Decoder(_Params)


class Introduction(Struct, frozen=True):
    """What counts of it; before there is one, a client has no name and can do nothing special.

    `answers_for_humans`: it may be asked what a human has to approve; `attests`: it may be asked for attestations.
    """

    name: str | None = None
    version: str | None = None
    experimental: bool = False
    answers_for_humans: bool = False
    attests: bool = False
    opted_out: frozenset[str] = frozenset()
    codexd: Codexd | None = None

    @property
    def knows_codexd(self) -> bool:
        """Whether it wants codexd's own notifications; the client that a stand-in speaks for has never heard of codexd."""
        said = self.codexd
        return said is not None and (said.seq or (said.cwd is None and said.config is None))

    @property
    def wants_numbers(self) -> bool:
        """Whether it is to be told the numbers of events."""
        return self.codexd is not None and self.codexd.seq

    @property
    def has_valid_name(self) -> bool:
        """Whether the name could stand in an HTTP header, which Codex demands."""
        return self.name is not None and _HEADER_VALUE.fullmatch(self.name) is not None


def read(params: Raw | UnsetType) -> Introduction:
    """The introduction in the params of `initialize`.

    Raises:
        msgspec.DecodeError: they are not what Codex of today takes.
    """
    said = _params.decode(params if not isinstance(params, UnsetType) else b"null")
    capabilities = said.capabilities or _Capabilities()
    return Introduction(
        name=said.client_info.name,
        version=said.client_info.version,
        experimental=capabilities.experimental_api,
        answers_for_humans=capabilities.experimental_api and capabilities.required_human_approval,
        attests=capabilities.request_attestation,
        opted_out=frozenset(capabilities.opt_out_notification_methods or ()),
        codexd=capabilities.codexd,
    )


def problem(params: Raw | UnsetType) -> str:
    """Why codexd can't read an introduction that Codex could."""
    try:
        read(params)
    except msgspec.DecodeError as error:
        return f"Invalid request: {error}"
    return ALREADY
