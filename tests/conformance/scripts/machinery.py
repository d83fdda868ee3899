"""Accounts, environments, memories, other programs: what is of the machine or of the account, and no thread's.

What would leave the machine is called badly, or not signed in, where Codex refuses before it begins.
"""

from tests.conformance.steps import Call, Do, Note, script, thread, turn

_T = {"threadId": "$thread"}
_NONE = {"threadId": "00000000-0000-0000-0000-000000000000"}
_AUDIO = {"data": "AAAA", "sampleRate": 24000, "numChannels": 1}
_FAILED = Note("error", _T)
_IMPORTED = {"itemType": "AGENTS_MD", "description": "Instructions", "cwd": "$project"}
_REPOSITORY = """export GIT_AUTHOR_DATE=2026-01-01T00:00:00Z GIT_COMMITTER_DATE=2026-01-01T00:00:00Z
git init -q --bare $root/origin && git init -q . && git remote add origin $root/origin &&
git add CLAUDE.md && git -c user.name=N -c user.email=E commit -qm one && git push -q origin HEAD &&
echo "Be kinder." > CLAUDE.md"""

SCRIPTS = (
    script(
        "accounts",
        Call("account/login/start", {"type": "nonsense"}),
        Call("account/login/start", {"type": "apiKey"}),
        Call("account/login/start", {"type": "chatgptAuthTokens", "accessToken": "no token"}),
        Call("account/login/start", {"type": "amazonBedrock", "apiKey": "", "region": ""}),
        Call("account/login/cancel", {"loginId": "none"}),
        Call("account/login/cancel", {"loginId": "00000000-0000-0000-0000-000000000000"}),
        Call("accountSession/switch", {"accountId": "none", "sessionId": "none"}),
        Call("accountSession/list", {}),
        Call("account/gatewayOAuth/login", {"modelProvider": "none"}),
        Call("account/gatewayOAuth/login", None),
        Call("account/gatewayOAuth/read", {"modelProvider": "none"}),
        Call("account/bedrock/setup", {"type": "profile", "profile": "none", "region": "nowhere"}),
        Call("account/bedrock/setup", {"type": "environment", "region": "us-east-1"}),
        Call("account/bedrock/setup", {"type": "profile", "profile": "none", "region": "us-east-1"}),
        Call("account/gcp/setup", {"projectId": "", "credentialFile": "$project/none"}),
        Call("account/sendAddCreditsNudgeEmail", {"creditType": "nonsense"}),
        Call("account/usage/read", _NONE),
        Call("getAuthStatus", {"includeToken": True, "refreshToken": False}),
        Call("account/logout", None, until=(Note("account/updated"),)),
        Call("account/read", {}),
        Call("userVerification/cancel", {"requestId": "none"}),
        Call("userVerification/cancel", {"requestId": None}),
        Call("userVerification/cancel", {"requestId": 1.5}),
        Call("userVerification/cancel", {"requestId": {}}),
        Call("userVerification/cancel", {"requestId": 2**63}),
        Call("userVerification/cancel", {"requestId": "2"}),
        Call("thread/sample/cancel", {"requestId": None}),
        Call("thread/sample/cancel", {"requestId": [1]}),
        Call("thread/sample/cancel", {"requestId": 7}),
        Call("feedback/upload", {"classification": 5}),
        Call("feedback/upload", {}),
        Call("remoteControl/status/read", None),
        Call("remoteControl/enable", {"ephemeral": "nonsense"}),
        Call("remoteControl/disable", {"ephemeral": "nonsense"}),
        Call("remoteControl/pairing/start", {"manualCode": "nonsense"}),
        Call("remoteControl/pairing/status", {"pairingCode": 5}),
        Call("remoteControl/pairing/status", {}),
        Call("remoteControl/client/list", {"environmentId": 5}),
        Call("remoteControl/client/revoke", {"environmentId": "none"}),
    ),
    script(
        "the machine",
        Do("write", "$project/CLAUDE.md", "Be kind."),
        Call("externalAgentConfig/detect", {"includeHome": True, "cwds": ["$project"]}),
        Call("externalAgentConfig/detect", {"cwds": ["relative"]}),
        Call(
            "externalAgentConfig/import",
            {"migrationItems": [_IMPORTED]},
            until=(Note("externalAgentConfig/import/completed"),),
        ),
        Call("externalAgentConfig/import", {"migrationItems": [{"itemType": "NONSENSE"}]}),
        Call("externalAgentConfig/import/readHistories", None),
        Call("externalAgentConfig/import/recordHistory", {"providerId": "other", "itemTypeResults": []}),
        Call("externalAgentConfig/import/recordHistory", {"providerId": "other", "itemTypeResults": 5}),
        Call("environment/add", {"environmentId": "far", "execServerUrl": "nonsense"}),
        Call("environment/add", {"environmentId": "far", "execServerUrl": "ws://127.0.0.1:9"}),
        Call("environment/add", {"environmentId": "", "execServerUrl": "ws://127.0.0.1:9"}),
        Call("environment/info", {"environmentId": "far"}),  # waits for the connection
        Call("environment/status", {"environmentId": "far"}),
        Call("environment/status", {"environmentId": "none"}),
        Call("environment/info", {"environmentId": "local"}),
        Call("memory/status", {"minConsolidatedThreads": 1}),
        Call("memory/reset", None),
        Call("rollout/compress", None),
        Call(
            "windowsSandbox/setupStart",
            {"mode": "unelevated", "cwd": "$project"},
            until=(Note("windowsSandbox/setupCompleted"),),
        ),
        Call("windowsSandbox/setupStart", {"mode": "nonsense"}),
        Call("mock/experimentalMethod", {"value": 5}),
        Call("gitDiffToRemote", {"cwd": "$home"}),
        Call(
            "command/exec",
            {"command": ["sh", "-c", _REPOSITORY], "sandboxPolicy": {"type": "dangerFullAccess"}},
        ),
        Call("gitDiffToRemote", {"cwd": "$project"}),
        Call("feedback/save", {"classification": "bug", "savePath": "$root/feedback.zip"}),
        Call("feedback/save", {"classification": "bug", "savePath": "relative"}),
        Call("feedback/save", {"classification": "bug", "savePath": "$root/f.zip", **_NONE}),
        thread(),
        turn("thread", "hello"),
        Call("feedback/save", {"classification": "bug", "reason": "r", "savePath": "$root/t.zip", **_T}),
        Call("getConversationSummary", {"conversationId": "no uuid"}),
        Call("getConversationSummary", {"rolloutPath": "relative"}),
        Call("account/usage/read", _T),
        Call("thread/realtime/start", {**_T, "outputModality": "nonsense"}),
        Call("thread/realtime/start", {**_NONE, "outputModality": "text"}),
        Call("thread/realtime/appendText", {**_T, "role": "user", "text": "t"}, until=(_FAILED,)),
        Call("thread/realtime/appendText", {**_NONE, "role": "user", "text": "t"}),
        Call("thread/realtime/appendSpeech", {**_T, "text": "t"}, until=(_FAILED,)),
        Call("thread/realtime/appendSpeech", {**_NONE, "text": "t"}),
        Call("thread/realtime/appendAudio", {**_T, "audio": _AUDIO}, until=(_FAILED,)),
        Call("thread/realtime/appendAudio", {**_NONE, "audio": _AUDIO}),
        Call("thread/realtime/stop", _T, until=(Note("thread/realtime/closed", _T),)),
        Call("thread/realtime/stop", _NONE),
        Call("server/diagnostics", {}),
    ),
)
