"""Floor 3: the outside: command line, settings, sockets, the service manager, signals."""
