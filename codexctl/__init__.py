"""codexctl: the command line and the client library of codexd."""
