"""What is written into Codex's configuration, switched in its features, and added to it: skills, hooks, plug-ins, apps.

Each script has a Codex of its own, so what it changes is seen by no other.
"""

from tests.conformance.steps import Call, Do, Json, Note, script, thread

_T = {"threadId": "$thread"}
_NONE = {"threadId": "00000000-0000-0000-0000-000000000000"}
_SKILL = "---\nname: knitting\ndescription: Knits a scarf.\n---\nKnit.\n"
_HOOKS = '{"hooks": {"Stop": [{"hooks": [{"type": "command", "command": "true"}]}]}}'
_MARKET = """{"name": "market", "interface": {"displayName": "The market"}, "plugins": [
    {"name": "plug", "source": {"source": "local", "path": "./plugins/plug"}},
    {"name": "lost", "source": {"source": "local", "path": "./plugins/lost"}}
]}"""
_PLUGIN = '{"name": "plug", "version": "1.0.0", "description": "A plug.", "skills": "./skills"}'
_PATH = "$root/market/.agents/plugins/marketplace.json"
_SHARED = {"remotePluginId": "", "discoverability": "PRIVATE", "shareTargets": []}
_GATEWAY = {"type": "customGateway", "providerId": "mine", "name": "Mine", "baseUrl": "http://127.0.0.1:9/v1"}


def _written(key: str, value: Json, **more: Json) -> Call:
    edit = {"keyPath": key, "value": value, "mergeStrategy": "replace"}
    return Call("config/value/write", {**edit, **more}, save={"version": "version"})


def _refused(key: str, value: Json, **more: Json) -> Call:
    return Call("config/value/write", {"keyPath": key, "value": value, "mergeStrategy": "upsert", **more})


SCRIPTS = (
    script(
        "configuration",
        _written("hide_agent_reasoning", True),
        _written("hide_agent_reasoning", False, expectedVersion="$version"),
        _written("tui", {"theme": "dark"}, filePath="$codex_home/config.toml"),
        _written("tui", {"animations": False}, mergeStrategy="upsert"),
        _refused("hide_agent_reasoning", True, expectedVersion="sha256:0"),
        _refused("approval_policy", "nonsense"),
        _written("no_such_key", 1),
        _written("no_such_key", None),
        _refused("", 1),
        _refused("model", "another", filePath="$project/config.toml"),
        _refused("model", "another", filePath="relative"),
        Call("config/value/write", {"keyPath": "a", "value": 1, "mergeStrategy": "nonsense"}),
        Call(
            "config/batchWrite",
            {
                "edits": [
                    {"keyPath": "tui.theme", "value": None, "mergeStrategy": "replace"},
                    {"keyPath": "tui.animations", "value": True, "mergeStrategy": "upsert"},
                ],
                "reloadUserConfig": True,
            },
        ),
        Call(
            "config/batchWrite",
            {"edits": [{"keyPath": "profiles.one", "value": {}, "mergeStrategy": "upsert"}]},
        ),
        Call("config/batchWrite", {"edits": []}),
        Call("config/batchWrite", {"edits": [], "expectedVersion": "sha256:0"}),
        Call(
            "config/batchWrite",
            {"edits": [{"keyPath": "sandbox_mode", "value": "nonsense", "mergeStrategy": "upsert"}]},
        ),
        Call("config/read", {"includeLayers": True}),
        Call("configRequirements/read", None),
        Call("config/mcpServer/reload", None),
        Call("modelProvider/config/write", {"settings": _GATEWAY}),
        _written("model_providers.mine", {"name": "Mine", "base_url": "http://127.0.0.1:9/v1"}),
        Call("modelProvider/config/write", {"settings": _GATEWAY}),
        Call("modelProvider/config/write", {"settings": {**_GATEWAY, "providerId": "openai"}}),
        Call("modelProvider/config/write", {"settings": {**_GATEWAY, "baseUrl": "nonsense"}}),
        Call("modelProvider/config/write", {"settings": {"type": "nonsense"}}),
        Call("modelProvider/default/set", {"providerId": "none"}),
        Call("modelProvider/default/set", {"providerId": "scripted"}),
        Call("modelProvider/list", {}),
        Call("modelProvider/capabilities/read", {}),
        Call("experimentalFeature/enablement/set", {"enablement": {"memories": True}}),
        Call("experimentalFeature/enablement/set", {"enablement": {"apps": True, "no_such_feature": True}}),
        Call("experimentalFeature/enablement/set", {"enablement": {}}),
        thread(),
        Call("experimentalFeature/list", _T),
        Call("experimentalFeature/list", _NONE),
    ),
    script(
        "skills, hooks and apps",
        Do("write", "$project/.codex/skills/knitting/SKILL.md", _SKILL),
        Do("write", "$root/extra/sewing/SKILL.md", _SKILL.replace("knitting", "sewing")),
        Do("write", "$codex_home/hooks.json", _HOOKS),
        Call("skills/list", {"cwds": ["$project"]}),
        Call("skills/extraRoots/set", {"extraRoots": ["$root/extra"]}, until=(Note("skills/changed"),)),
        Call("skills/extraRoots/set", {"extraRoots": ["relative"]}),
        Call("skills/list", {"cwds": ["$project"], "forceReload": True}),
        Call("skills/list", {"cwds": ["relative"]}),
        Call("skills/config/write", {"name": "knitting", "enabled": False}),
        Call("skills/config/write", {"path": "$root/extra/sewing/SKILL.md", "enabled": False}),
        Call("skills/config/write", {"enabled": False}),
        Call("skills/config/write", {"name": "knitting", "path": "$root/extra", "enabled": True}),
        Call("skills/list", {"cwds": ["$project"], "forceReload": True}),
        Call("hooks/list", {"cwds": ["$project"]}),
        Call("hooks/list", {"cwds": ["relative"]}),
        thread(),
        Call("hooks/list", _T),
        Call("hooks/list", _NONE),
        Call("app/list", _T),
        Call("app/list", _NONE),
        Call("app/list", {"cursor": "nonsense"}),
        Call("app/read", {"appIds": []}),
        Call("app/read", {"appIds": ["none"], **_T}),
        Call("app/installed", {**_T, "forceRefresh": True}),
        Call("app/installed", _NONE),
    ),
    script(
        "marketplaces and plug-ins",
        Do("write", "$root/market/.agents/plugins/marketplace.json", _MARKET),
        Do("write", "$root/market/plugins/plug/.codex-plugin/plugin.json", _PLUGIN),
        Do("write", "$root/market/plugins/plug/skills/knitting/SKILL.md", _SKILL),
        Call("marketplace/add", {"source": "$root/market"}),
        Call("marketplace/add", {"source": "$root/market"}),
        Call("marketplace/add", {"source": "$root/none"}),
        Call("marketplace/add", {"source": ""}),
        Call("marketplace/add", {"source": "$root/market", "refName": "main"}),
        Call("marketplace/upgrade", {}),
        Call("marketplace/upgrade", {"marketplaceName": "market"}),
        Call("marketplace/upgrade", {"marketplaceName": "none"}),
        Call("plugin/list", {"cwds": ["$project"], "marketplaceKinds": ["local"]}),
        Call("plugin/list", {"marketplaceKinds": ["nonsense"]}),
        Call("plugin/read", {"pluginName": "plug", "marketplacePath": _PATH}),
        Call("plugin/read", {"pluginName": "none", "marketplacePath": _PATH}),
        Call("plugin/install", {"pluginName": "plug", "marketplacePath": _PATH}),
        Call("plugin/install", {"pluginName": "none", "marketplacePath": _PATH}),
        Call("plugin/install", {"pluginName": "plug"}),
        Call("plugin/installed", {"cwds": ["$project"]}),
        Call("plugin/reconcile", {}),
        Call("plugin/reconcile", {"reason": "nonsense"}),
        Call("plugin/search", {"searchTerm": "plug", "scope": "personal"}),
        Call("plugin/skill/read", {"remoteMarketplaceName": "", "remotePluginId": "", "skillName": ""}),
        Call("plugin/share/save", {"pluginPath": "$root/none"}),
        Call("plugin/share/updateTargets", _SHARED),
        Call("plugin/share/checkout", {"remotePluginId": ""}),
        Call("plugin/share/delete", {"remotePluginId": ""}),
        Call("plugin/share/list", {}),
        Call("plugin/uninstall", {"pluginId": "plug@market"}),
        Call("plugin/uninstall", {"pluginId": "plug@market"}),
        Call("plugin/uninstall", {"pluginId": "nonsense"}),
        Call("marketplace/remove", {"marketplaceName": "market"}),
        Call("marketplace/remove", {"marketplaceName": "market"}),
        Call("marketplace/remove", {"marketplaceName": ""}),
    ),
)
