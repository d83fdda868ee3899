"""The file system, the watches on it, and the searches in it."""

from tests.conformance.steps import Call, Do, Note, script

_TEXT = "aGVsbG8K"  # "hello" and a newline, in base 64


def _changed(watch: str) -> Note:
    return Note("fs/changed", {"watchId": watch})


SCRIPTS = (
    script(
        "files",
        Call("fs/createDirectory", {"path": "$project/a/b", "recursive": True}),
        Call("fs/createDirectory", {"path": "$project/c/d"}),
        Call("fs/createDirectory", {"path": "relative"}),
        Call("fs/writeFile", {"path": "$project/a/b/file", "dataBase64": _TEXT}),
        Call("fs/writeFile", {"path": "$project/a/b/file", "dataBase64": "no base 64!"}),
        Call("fs/writeFile", {"path": "$project/none/file", "dataBase64": _TEXT}),
        Call("fs/readFile", {"path": "$project/a/b/file"}),
        Call("fs/readFile", {"path": "$project/none"}),
        Call("fs/getMetadata", {"path": "$project/a/b/file"}),
        Call("fs/getMetadata", {"path": "$project/none"}),
        Call("fs/readDirectory", {"path": "$project/a"}),
        Call("fs/readDirectory", {"path": "$project/a/b/file"}),
        Call("fs/copy", {"sourcePath": "$project/a/b/file", "destinationPath": "$project/copy"}),
        Call("fs/copy", {"sourcePath": "$project/a", "destinationPath": "$project/tree"}),
        Call("fs/copy", {"sourcePath": "$project/a", "destinationPath": "$project/tree", "recursive": True}),
        Call("fs/remove", {"path": "$project/tree"}),
        Call("fs/remove", {"path": "$project/tree", "recursive": True}),
        Call("fs/remove", {"path": "$project/tree", "recursive": True, "force": False}),
        Call("fs/remove", {"path": "$project/tree", "force": True}),
    ),
    script(
        "watches",
        Call("fs/watch", {"watchId": "w1", "path": "$project"}),
        Call("fs/watch", {"watchId": "w1", "path": "$home"}),
        Call("fs/watch", {"watchId": "w2", "path": "$project/none"}),
        Call("fs/watch", {"watchId": "", "path": "$home"}),
        Call("fs/watch", {"watchId": 'w "3"', "path": "$home"}),
        Call("fs/watch", {"watchId": 'w "3"', "path": "$home"}),
        Call("fs/watch", {"watchId": "relative", "path": "relative"}),
        Call("fs/writeFile", {"path": "$project/seen", "dataBase64": _TEXT}, until=(_changed("w1"),)),
        Do("write", "$home/seen", "text"),
        Call("fs/readDirectory", {"path": "$home"}, until=()),
        Call("fs/unwatch", {"watchId": "w1"}),
        Call("fs/unwatch", {"watchId": "w1"}),
        Call("fs/unwatch", {"watchId": "never"}),
        Call("fs/watch", {"watchId": "w1", "path": "$project/seen"}),
        Call("fs/writeFile", {"path": "$project/seen", "dataBase64": ""}, until=(_changed("w1"),)),
        Call("fs/unwatch", {"watchId": "w1"}),
    ),
    script(
        "searches",
        Do("write", "$project/needle.txt", "x"),
        Do("write", "$project/other.txt", "x"),
        Call("fuzzyFileSearch", {"query": "needle", "roots": ["$project"]}),
        Call("fuzzyFileSearch", {"query": "needle", "roots": ["$project"], "cancellationToken": "t1"}),
        Call("fuzzyFileSearch", {"query": "", "roots": ["$project"]}),
        Call("fuzzyFileSearch", {"query": "needle", "roots": []}),
        Call("fuzzyFileSearch", {"query": "needle", "roots": ["$project/none"]}),
        Call("fuzzyFileSearch/sessionStart", {"sessionId": "s1", "roots": ["$project"]}),
        Call(
            "fuzzyFileSearch/sessionUpdate",
            {"sessionId": "s1", "query": "needle"},
            until=(
                Note("fuzzyFileSearch/sessionUpdated", {"query": "needle", "files.0.path": "needle.txt"}),
                Note("fuzzyFileSearch/sessionCompleted", {"sessionId": "s1"}),
            ),
        ),
        Call("fuzzyFileSearch/sessionUpdate", {"sessionId": "never", "query": "needle"}),
        Call("fuzzyFileSearch/sessionStart", {"sessionId": "", "roots": ["$project"]}),
        Call("fuzzyFileSearch/sessionStop", {"sessionId": "s1"}),
        Call("fuzzyFileSearch/sessionStop", {"sessionId": "s1"}),
        Call("fuzzyFileSearch/sessionUpdate", {"sessionId": "s1", "query": "needle"}),
    ),
)
