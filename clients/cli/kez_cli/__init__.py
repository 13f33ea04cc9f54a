"""kez, the command line: prints and asks; the peer does the rest."""
