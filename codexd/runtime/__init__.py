"""Floor 2: trio carries out what the core decides: sockets, the child process, queues."""
