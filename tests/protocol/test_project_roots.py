"""Where Codex looks up whether a directory is trusted."""

from pathlib import Path

from codexd.protocol.project_roots import roots


def checkout(directory: Path) -> Path:
    """Makes it the root of a repository."""
    (directory / ".git").mkdir(parents=True)
    (directory / ".git" / "HEAD").touch()
    return directory


def worktree(directory: Path, store: Path, known_as: Path) -> Path:
    """Makes it a linked worktree of what keeps its things in `store`, which knows a worktree there."""
    directory.mkdir()
    (directory / ".git").write_text(f"gitdir: {store}\n")
    store.mkdir(parents=True)
    (store / "gitdir").write_text(f"{known_as}\n")
    return directory


def found(directory: Path) -> list[str]:
    return list(roots(str(directory)))


def test_a_plain_directory_counts_for_itself(tmp_path: Path) -> None:
    """An empty `.git`, which Codex leaves behind, makes no repository."""
    plain = tmp_path / "plain"
    (plain / ".git").mkdir(parents=True)
    assert found(plain)[0] == str(plain)
    assert str(plain) not in found(plain)[1:]


def test_a_checkout_counts_for_what_is_below_up_to_the_next_one(tmp_path: Path) -> None:
    """The innermost one."""
    outer = checkout(tmp_path / "outer")
    inner = checkout(outer / "inner")
    (inner / "sub").mkdir()
    (outer / "sub").mkdir()
    assert found(outer) == [str(outer)]
    assert found(outer / "sub") == [str(outer / "sub"), str(outer)]
    assert found(inner / "sub") == [str(inner / "sub"), str(inner)]


def test_a_worktree_counts_as_its_main_checkout(tmp_path: Path) -> None:
    """If that knows it."""
    main = checkout(tmp_path / "main")
    linked = worktree(
        tmp_path / "linked", main / ".git" / "worktrees" / "linked", tmp_path / "linked" / ".git"
    )
    assert found(linked) == [str(linked), str(main)]


def test_a_file_of_a_download_names_no_main_checkout(tmp_path: Path) -> None:
    """It may say anything: of a directory that does not know it, that is not there, or that is no repository's."""
    main = checkout(tmp_path / "main")
    forged = worktree(tmp_path / "forged", main / ".git" / "worktrees" / "x", tmp_path / "other" / ".git")
    assert found(forged) == [str(forged)]
    odd = worktree(tmp_path / "odd", tmp_path / "elsewhere" / "worktrees" / "odd", tmp_path / "odd" / ".git")
    assert found(odd) == [str(odd)]
    (tmp_path / "gone").mkdir()
    (tmp_path / "gone" / ".git").write_text("gitdir: /nonexistent/x\n")
    assert found(tmp_path / "gone") == [str(tmp_path / "gone")]
