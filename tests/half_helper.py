"""A helper that begins to say something long, and says no more."""

import os
import struct
import sys
import time

if __name__ == "__main__":
    os.write(int(sys.argv[1]), struct.pack("!i", 1000) + bytes(10))
    time.sleep(600)
