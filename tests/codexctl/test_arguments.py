import pytest

from codexctl.arguments import directory, parse


def refused(capsys, *argv):
    with pytest.raises(SystemExit) as left:
        parse(argv)
    assert left.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["sned"], "codexctl: error: argument COMMAND: sned is unknown; did you mean send?"),
        (["send", "--timout", "3"], "codexctl send: error: --timout is unknown here; did you mean --timeout?"),
        (["send", "--modle=x"], "codexctl send: error: --modle is unknown here; did you mean --model?"),
        (["threads", "arkive"], "codexctl threads: error: argument ACTION: arkive is unknown; did you mean archive?"),
        (["send", "-s", "none"], "codexctl send: error: argument -s/--sandbox: none is unknown (known: read-only, workspace-write, danger-full-access)"),
        (["status", "now"], "codexctl status: error: now is unknown here"),
        (["send", "--json", "--frobnicate"], "codexctl send: error: --frobnicate is unknown here"),
        (["send", "--timeout", "0"], "codexctl send: error: argument --timeout: 0 is not a number of seconds above 0"),
        (["threads", "--limit", "ten"], "codexctl threads: error: argument --limit: ten is not a number above 0"),
        ([], "codexctl: error: the following arguments are required: COMMAND"),
    ],
)  # fmt: skip
def test_a_wrong_word_gets_the_nearest_right_one(capsys, argv, sentence):
    """Exit 2 and one sentence, from the verb that the word was meant for."""
    assert refused(capsys, *argv) == sentence


def test_the_common_options_stand_before_and_after_the_verb():
    """Where they stand does not matter, at any depth."""
    for argv in (
        ["--json", "--socket", "/s", "--no-start", "threads", "list"],
        ["threads", "--json", "--socket", "/s", "--no-start", "list"],
        ["threads", "list", "--json", "--socket", "/s", "--no-start"],
    ):
        arguments = parse(argv)
        assert (arguments.json, arguments.socket, arguments.no_start) == (True, "/s", True)
    arguments = parse(["status"])
    assert (arguments.json, arguments.socket, arguments.no_start) == (False, None, False)


def test_listing_is_what_threads_and_approvals_do_by_default():
    """With the same options."""
    for argv in (["threads", "--all", "--limit", "5"], ["threads", "list", "--limit", "5", "--all"]):
        arguments = parse(argv)
        assert (arguments.run, arguments.all, arguments.limit) == ("threads:list_threads", True, 5)
        assert (arguments.archived, arguments.cursor, arguments.cd) == (False, None, None)
    assert parse(["approvals"]).run == parse(["approvals", "list"]).run == "approvals:list_approvals"


def test_the_words_of_a_prompt_may_stand_around_options():
    """What belongs to no option is prompt, in its order."""
    assert parse(["send", "one", "-m", "model", "two", "three"]).prompt == ["one", "two", "three"]
    assert parse(["send", "--", "-c", "is prompt"]).prompt == ["-c", "is prompt"]
    assert parse(["send", "-"]).prompt == ["-"]


def test_a_thread_is_the_latest_or_a_named_one(capsys):
    """Not both."""
    assert refused(capsys, "send", "-c", "-t", "1").endswith("not allowed with argument -c/--continue")


def test_the_directory_is_the_real_one(place, monkeypatch):
    """Codex compares directories as text, so links are followed."""
    (place / "link").symlink_to(place / "project")
    assert directory(parse(["send", "-C", str(place / "link")])) == str(place / "project")
    monkeypatch.chdir(place / "link")
    assert directory(parse(["send"])) == str(place / "project")


def test_help_has_the_exit_codes(capsys):
    """For scripts."""
    for argv in (["--help"], ["send", "--help"]):
        with pytest.raises(SystemExit) as left:
            parse(argv)
        assert left.value.code == 0
        assert "  4    Codex is not signed in\n" in capsys.readouterr().out


def test_version(capsys):
    """On stdout, for bug reports."""
    with pytest.raises(SystemExit):
        parse(["--version"])
    assert capsys.readouterr().out.startswith("codexctl 0.")


def test_only_the_verb_that_is_met_costs_anything(monkeypatch):
    """The options of all verbs together take longer than everything else in a command's start."""

    def never(_):
        raise AssertionError("nobody asked for this verb")

    monkeypatch.setattr("codexctl.arguments._send", never)
    assert parse(["status"]).run == "status:status"
    with pytest.raises(AssertionError):
        parse(["send", "hello"])
