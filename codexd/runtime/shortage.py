"""What the system says when it has no more threads, processes, descriptors or memory for codexd."""

import errno

_ERRNOS = {errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM}


def is_shortage(error: BaseException | None) -> bool:
    """Whether the error comes from such a lack, which may be over in a moment."""
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in _ERRNOS)
