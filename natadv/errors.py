"""The tree of natadv's errors, cut by what a caller can do about them.

NatadvError
├── ConfigError          what a person wrote is wrong: mend the file or the option
├── DataError            a file or folder is missing, torn, or not what it says it is
│   ├── ClipError          a recorded clip
│   └── BundleError        a model bundle; its bytes must not be run
├── DeviceError          a camera, screen, stage, sprayer or GPU; look at the hardware
│   ├── ConnectError       it could not be opened
│   ├── SettingError       it did not take a setting
│   └── FrameTimeoutError  no frame came in time
└── ResourceError        the machine has too little disk or memory for the work

A message is one line: what is wrong, where, and how to mend it. Wrong arguments of a function are
`ValueError`s, not these: they are a programmer's to mend.
"""

FOUND = 3
"""Exit code of a command that looked for something and found it: 1 is an error's, 2 that of a command typed wrong."""


class NatadvError(Exception):
    """Any failure that a person can mend; a command prints it as one line and exits with code 1."""


class ConfigError(NatadvError):
    """A configuration file or command option is wrong."""


class DataError(NatadvError):
    """A file or folder is missing, torn, or not what it says it is."""


class ClipError(DataError):
    """A recorded clip is incomplete, damaged, or differs from its checksum."""


class BundleError(DataError):
    """A model bundle is incomplete, altered, or does not fit its use."""


class DeviceError(NatadvError):
    """A piece of hardware failed or is not there."""


class ConnectError(DeviceError):
    """A device could not be opened."""


class SettingError(DeviceError):
    """A device reports another value than it was asked for."""


class FrameTimeoutError(DeviceError):
    """A camera gave no frame in time."""


class ResourceError(NatadvError):
    """The machine has too little disk space or memory for the work asked for."""
