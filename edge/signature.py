"""A bundle's signature: who made it, by OpenSSF model-signing with a key of one's own (the extra `signing`).

Digests find damage; a signature finds a stranger. Elliptic-curve keys in PEM files, made offline:

    openssl ecparam -name prime256v1 -genkey -noout -out private.pem
    openssl ec -in private.pem -pubout -out public.pem

What is verified are the bytes in memory that run afterwards, not files that somebody may exchange in between.
"""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edge.bundle import SIGNATURE, Bundle, parse_files, read_files
from edge.wording import one_line
from natadv.durable import file_error, replace_file
from natadv.errors import BundleError, ConfigError


def sign_bundle(folder: Path, private_key: Path, *, password: str | None = None) -> None:
    """Sign a bundle; the signature lies in its folder, in place of any other.

    Args:
        folder: of the bundle, which is verified first.
        private_key: PEM file.
        password: of the key.

    Raises:
        BundleError: if the bundle is damaged.
        ConfigError: if the key cannot be used, or model-signing is not installed.
        ResourceError: if the disk is full.
    """
    signing = _library().signing
    files = read_files(folder)
    parse_files(files, folder)
    if not private_key.is_file():
        raise ConfigError(f"{private_key}: no such key")
    with _scratch() as scratch:
        copy, signature = _spread(files, scratch), scratch / SIGNATURE
        secret = password.encode() if password else None  # model-signing 1.1.1 says str, and hands it on as bytes
        try:
            signer = signing.Config().use_elliptic_key_signer(private_key=private_key, password=secret)
            signer.sign(copy, signature)
        except Exception as error:  # what keys of other kinds raise in the libraries below has no common base
            if _is_public(private_key):
                raise ConfigError(f"{private_key}: is the public key; sign with the private one") from error
            raise ConfigError(f"{private_key}: cannot be used to sign ({_first_line(error)})") from error
        replace_file(folder / SIGNATURE, signature.read_bytes())


def read_signed(folder: Path, public_key: Path) -> Bundle:
    """Read a bundle, and refuse it unless the owner of a key signed just these bytes; before that none is looked into.

    Raises:
        BundleError: if it is damaged, not signed, or signed by another key or over other bytes.
        ConfigError: if the key cannot be used, or model-signing is not installed.
        ResourceError: if the temporary folder has no room for its bytes.
        DataError: if they cannot be written there for another reason.
    """
    verifying = _library().verifying
    files = read_files(folder, signed=True)
    signature = files.pop(SIGNATURE)
    try:
        verifier = verifying.Config().use_elliptic_key_verifier(public_key=public_key)
    except Exception as error:  # as above
        raise ConfigError(f"{public_key}: is no public key to verify by ({_first_line(error)})") from error
    with _scratch() as scratch:
        copy, copied = _spread(files, scratch), scratch / SIGNATURE
        copied.write_bytes(signature)
        try:
            verifier.verify(copy, copied)
        except Exception as error:  # what a mutated signature raises in four libraries has no common base
            raise BundleError(
                f"{folder / SIGNATURE}: not the signature of these bytes by {public_key} ({_first_line(error)})"
            ) from error
    return parse_files(files, folder)


@contextmanager
def _scratch() -> Iterator[Path]:
    """Give a temporary folder; what goes wrong with it is one of our errors."""
    try:
        with tempfile.TemporaryDirectory() as scratch:
            yield Path(scratch)
    except OSError as error:
        raise file_error(Path(error.filename or "the temporary folder"), error) from error


def _spread(files: Mapping[str, bytes], scratch: Path) -> Path:
    """Write the bytes in memory where the library can read them; the folder has a fixed name, which is signed too."""
    folder = scratch / "bundle"
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def _is_public(key: Path) -> bool:
    """Whether a PEM file has a public key in the private one's place; its first line says so, whatever its kind."""
    return b"-----BEGIN PUBLIC KEY-----" in key.read_bytes()


def _library() -> Any:
    try:
        import model_signing  # noqa: PLC0415  # an extra, and slow to import
    except ImportError as error:
        raise ConfigError(f"signatures need the extra `signing`: pip install 'natadv[signing]' ({error})") from error
    return model_signing


def _first_line(error: Exception) -> str:
    return one_line(str(error) or type(error).__name__)
