import io

from codexctl.views import PlainView, SilentView


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_reply_stands_alone_on_its_stream():
    """Byte for byte as said, a line feed at its end, an empty line between messages; notes elsewhere."""
    replies, notes = io.StringIO(), io.StringIO()
    view = PlainView(replies, notes)
    view.reply("one ")
    view.note("a note\nof two lines", "dim")
    view.reply("two\x1b[0m")
    view.end_reply()
    view.end_reply()
    view.reply("")
    view.reply("three\n")
    view.end_reply()
    view.reply("four")
    view.end_reply()
    assert replies.getvalue() == "one two\x1b[0m\n\nthree\n\nfour\n"
    assert notes.getvalue() == "a note\nof two lines\n"


def test_a_terminal_is_not_steered_by_what_is_said():
    """Control characters are written out there, in replies and notes."""
    replies, notes = Terminal(), Terminal()
    view = PlainView(replies, notes)
    view.reply("a\x1b[2Jb")
    view.end_reply()
    view.note("c\rd")
    assert replies.getvalue() == "a\\x1b[2Jb\n"
    assert "c\\x0dd" in notes.getvalue()


def test_a_note_begins_a_line_where_both_share_a_terminal(monkeypatch):
    """Only there: a file with the reply never gets a line feed that was not said."""
    monkeypatch.setenv("NO_COLOR", "1")
    both = Terminal()
    view = PlainView(both, both)
    view.reply("one")
    view.note("note")
    assert both.getvalue() == "one\nnote\n"


def test_silence_is_silent(capsys):
    """For `--json`, where the events themselves are printed."""
    view = SilentView()
    view.reply("a")
    view.end_reply()
    view.note("b")
    assert capsys.readouterr() == ("", "")
