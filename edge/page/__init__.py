"""The page of a live run: what it sees and says, in a browser, with interfaces for other programs."""
