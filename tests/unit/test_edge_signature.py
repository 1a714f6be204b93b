"""Who signed a bundle: found out before a byte of it runs."""

import errno
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from edge.bundle import FILES, MANIFEST, MODEL, SIGNATURE, read_bundle
from edge.classifier import Classifier
from edge.signature import read_signed, sign_bundle
from natadv.errors import BundleError, ConfigError, DataError, ResourceError
from tests.signing_keys import keys
from tests.tiny_bundle import write_tiny_bundle


@pytest.fixture
def signed(tmp_path):
    folder = write_tiny_bundle(tmp_path / "bundle")
    private, public = keys(tmp_path, "ours")
    sign_bundle(folder, private)
    return folder, public


def test_what_its_owner_signed_is_read_and_runs(signed):
    folder, public = signed
    assert read_signed(folder, public).manifest == read_bundle(folder).manifest
    with Classifier(folder, device="cpu", public_key=public) as classifier:
        assert classifier.labels == ("red", "green", "blue")


def test_a_bundle_may_be_renamed(signed, tmp_path):
    folder, public = signed
    moved = folder.rename(tmp_path / "elsewhere")
    assert read_signed(moved, public).manifest.model_name == "tiny"


def test_anothers_signature_is_refused(signed, tmp_path):
    folder, _ = signed
    with pytest.raises(BundleError, match=r"not the signature of these bytes by .*theirs\.pub\.pem"):
        read_signed(folder, keys(tmp_path, "theirs")[1])


def test_a_whole_bundle_under_the_signature_of_another_is_refused(signed, tmp_path):
    folder, public = signed
    other = write_tiny_bundle(tmp_path / "other", labels=("up", "down", "left"))
    shutil.copy(folder / SIGNATURE, other / SIGNATURE)
    read_bundle(other)
    with pytest.raises(BundleError, match="not the signature of these bytes"):
        read_signed(other, public)
    with pytest.raises(BundleError, match="not the signature of these bytes"):
        Classifier(other, device="cpu", public_key=public)


@pytest.mark.parametrize("name", FILES)
def test_an_altered_file_is_refused(signed, name):
    folder, public = signed
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(BundleError):
        read_signed(folder, public)


@pytest.mark.parametrize("place", range(0, 1400, 70))
def test_a_flipped_bit_of_a_signature_is_refused_or_means_the_same(signed, place):
    folder, public = signed
    data = bytearray((folder / SIGNATURE).read_bytes())
    data[place % len(data)] ^= 4
    (folder / SIGNATURE).write_bytes(data)
    try:
        assert read_signed(folder, public).manifest == read_bundle(folder).manifest  # a name in it, a hint
    except BundleError as error:
        assert "not the signature" in str(error)


def test_what_is_no_file_is_no_signature(signed):
    folder, public = signed
    (folder / SIGNATURE).unlink()
    (folder / SIGNATURE).symlink_to("/dev/zero")
    with pytest.raises(BundleError, match=r"signature\.json: is not a file"):
        read_signed(folder, public)


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", "not JSON", '{"mediaType": 3}'])
def test_what_is_no_signature_is_refused(signed, text):
    folder, public = signed
    (folder / SIGNATURE).write_text(text)
    with pytest.raises(BundleError, match="not the signature"):
        read_signed(folder, public)


def test_an_unsigned_bundle_is_refused_where_a_signature_is_asked_for(signed):
    folder, public = signed
    (folder / SIGNATURE).unlink()
    with pytest.raises(BundleError, match="is not signed; sign it with `natadv export sign`"):
        read_signed(folder, public)


def test_a_bundle_that_replaces_another_does_not_keep_its_signature(signed):
    folder, _ = signed
    write_tiny_bundle(folder, overwrite=True)
    assert not (folder / SIGNATURE).exists()


def test_keys_that_cannot_be_used_are_said(signed, tmp_path):
    folder, public = signed
    private, _ = keys(tmp_path, "locked", b"secret")
    with pytest.raises(ConfigError, match=r"locked\.pem: cannot be used to sign"):
        sign_bundle(folder, private)
    with pytest.raises(ConfigError, match="cannot be used to sign"):
        sign_bundle(folder, private, password="wrong")
    sign_bundle(folder, private, password="secret")
    with pytest.raises(ConfigError, match=r"missing\.pem: no such key"):
        sign_bundle(folder, tmp_path / "missing.pem")
    with pytest.raises(ConfigError, match=r"ours\.pub\.pem: is the public key; sign with the private one$"):
        sign_bundle(folder, public)
    with pytest.raises(ConfigError, match="is no public key"):
        read_signed(folder, folder / MANIFEST)
    with pytest.raises(ConfigError, match="is no public key"):
        read_signed(folder, tmp_path / "missing.pem")


@pytest.mark.parametrize(
    "key",
    [
        rsa.generate_private_key(65537, 2048),
        ed25519.Ed25519PrivateKey.generate(),
        ec.generate_private_key(ec.BrainpoolP256R1()),
    ],
    ids=["rsa", "ed25519", "brainpool"],
)
def test_keys_of_other_kinds_are_said(signed, tmp_path, key):
    folder, _ = signed
    private, public = tmp_path / "other.pem", tmp_path / "other.pub.pem"
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    public.write_bytes(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    with pytest.raises(ConfigError, match="cannot be used to sign"):
        sign_bundle(folder, private)
    with pytest.raises((ConfigError, BundleError), match=r"no public key|not the signature"):
        read_signed(folder, public)


def test_nothing_is_looked_into_before_the_signature_is_checked(signed, monkeypatch):
    folder, public = signed
    (folder / MANIFEST).write_bytes(b"[" * 200_000)
    monkeypatch.setattr("edge.signature.parse_files", lambda files, folder: pytest.fail("looked into"))
    with pytest.raises(BundleError, match="not the signature"):
        read_signed(folder, public)


def test_a_damaged_bundle_is_not_signed(signed, tmp_path):
    folder, _ = signed
    (folder / MODEL).write_bytes(b"other")
    with pytest.raises(BundleError, match="not the bytes that were exported"):
        sign_bundle(folder, keys(tmp_path, "mine")[0])


def _full(*arguments, **more):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_no_room_for_the_library_to_read_from_is_one_of_our_errors(signed, tmp_path, monkeypatch):
    folder, public = signed
    private = keys(tmp_path, "mine")[0]
    monkeypatch.setattr("edge.signature._spread", _full)
    for act in (lambda: read_signed(folder, public), lambda: sign_bundle(folder, private)):
        with pytest.raises(ResourceError, match="the temporary folder: the disk is full"):
            act()
    monkeypatch.setattr("tempfile.TemporaryDirectory", lambda: Path("/nowhere/at/all").mkdir())
    with pytest.raises(DataError, match="/nowhere/at/all: cannot be written"):
        read_signed(folder, public)
