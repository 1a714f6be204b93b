"""`python -m tests.mute_helper FD`: a helper that never reads and never answers, until it is killed."""

import threading

if __name__ == "__main__":
    threading.Event().wait()
