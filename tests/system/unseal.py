# SPDX-License-Identifier: Apache-2.0
"""Reads sealed objects and key slots as docs/formats.md describes them, with nothing of the program under test: proof that the
documentation is enough. Also seals, for the test vectors in tests/golden/seal (run it: python3 unseal.py DIRECTORY)."""
import hashlib
import json
import pathlib
import struct
import sys
import uuid

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MAGIC = b"HFSEAL\r\n"
HEADER = struct.Struct("<8sIIIIII16s16s32s")
TAG = 16
ROLES = {"backups": 1, "pool": 2, "wal": 3, "records": 4}


class Refused(Exception):
    pass


def hkdf(secret, salt, info):
    return HKDF(hashes.SHA256(), 32, salt, info).derive(secret)


def nonce(index, last):
    return struct.pack("<QB3x", index, last)


def object_cipher(data_key, header, salt, name):
    return AESGCM(hkdf(data_key, salt, b"holdfast sealed object 1" + header + name.encode()))


def unseal(stored, name, repository, data_keys):
    """The plain bytes of the object that stands under this name in the repository."""
    if len(stored) < HEADER.size + TAG:
        raise Refused("too short")
    header = stored[:HEADER.size]
    magic, version, length, role, generation, segment, zero, where, _, salt = HEADER.unpack(header)
    if magic != MAGIC or version != 1 or length != HEADER.size or zero != 0:
        raise Refused("header")
    if where != uuid.UUID(repository).bytes or role != ROLES[name.split("/")[0]]:
        raise Refused("another place")
    if segment < 4096 or segment > 1 << 20 or segment & (segment - 1) or generation not in data_keys:
        raise Refused("header")
    cipher = object_cipher(data_keys[generation], header, salt, "" if role == 2 else name)
    plain, body = b"", stored[HEADER.size:]
    count = max(1, -(-len(body) // (segment + TAG)))
    for index in range(count):
        piece = body[index * (segment + TAG):(index + 1) * (segment + TAG)]
        try:
            opened = cipher.decrypt(nonce(index, index == count - 1), piece, b"")
        except InvalidTag:
            raise Refused(f"segment {index}")
        except ValueError:
            raise Refused(f"segment {index} is cut off")
        if not opened and index > 0:
            raise Refused("an empty segment behind another")
        plain += opened
    return plain


def unwrap(wrapping, about, wrapped):
    try:
        return AESGCM(wrapping).decrypt(wrapped[:12], wrapped[12:], about.encode())
    except InvalidTag:
        raise Refused(about)


def slot_master(slot, secret):
    """The master key of a slot (its JSON), from the bytes of a passphrase or key file."""
    kdf = slot["kdf"]
    salt = bytes.fromhex(kdf["salt"])
    if kdf["name"] == "scrypt":
        wrapping = hashlib.scrypt(secret, salt=salt, n=kdf["n"], r=kdf["r"], p=kdf["p"], dklen=32, maxmem=1 << 30)
    else:
        assert kdf["name"] == "hkdf-sha256"
        wrapping = hkdf(secret, salt, b"holdfast key file 1")
    return unwrap(wrapping, f"holdfast key slot 1 {slot['repository']} {slot['id']}", bytes.fromhex(slot["wrapped_key"]))


def data_key(document, master):
    wrapping = hkdf(master, None, b"holdfast data keys 1")
    return unwrap(wrapping, f"holdfast data key 1 {document['repository']} {document['generation']}",
                  bytes.fromhex(document["wrapped_key"]))


def recovery_master(code):
    import base64
    letters = code.upper().replace("HOLDFAST-1", "", 1).replace("-", "").strip()
    raw = base64.b32decode(letters + "=" * (-len(letters) % 8))
    assert hashlib.sha256(b"holdfast recovery code 1" + raw[:32]).digest()[:3] == raw[32:]
    return raw[:32]


class Repository:
    """An encrypted repository in a directory."""

    def __init__(self, path, secret=None, master=None):
        self.path = pathlib.Path(path)
        self.id = json.loads((self.path / "repository.json").read_text())["id"]
        keys = [json.loads(file.read_text()) for file in (self.path / "keys").glob("*.json")]
        for slot in keys:
            if master is None and slot["kind"] == "slot":
                try:
                    master = slot_master(slot, secret)
                except Refused:
                    pass
        if master is None:
            raise Refused("no slot opens")
        self.data_keys = {key["generation"]: data_key(key, master) for key in keys if key["kind"] == "data-key"}

    def read(self, name):
        return unseal((self.path / name).read_bytes(), name, self.id, self.data_keys)


# --- test vectors ---------------------------------------------------------------------------------------------------

def seal(plain, header, data_key, name):
    salt, segment, role = header[64:96], struct.unpack_from("<I", header, 24)[0], struct.unpack_from("<I", header, 16)[0]
    cipher = object_cipher(data_key, header, salt, "" if role == 2 else name)
    pieces = [plain[at:at + segment] for at in range(0, len(plain), segment)] or [b""]
    return header + b"".join(cipher.encrypt(nonce(index, index == len(pieces) - 1), piece, b"")
                             for index, piece in enumerate(pieces))


def pattern(length):
    return bytes((7 * i + i // 251) & 255 for i in range(length))


def make_vectors(directory):
    repository, key = "0b5b4c4e-2b9c-4d57-9d5c-0f1f2a3b4c5d", hashlib.sha256(b"data key of the test vectors").digest()
    vectors = []
    for number, (length, segment, role) in enumerate([(0, 4096, "backups"), (1, 4096, "wal"), (4096, 4096, "backups"),
                                                      (4097, 4096, "pool"), (12288, 4096, "wal"), (65537, 65536, "pool")]):
        name = {"backups": "backups/20261122T020000Z-market-full-k3f9/details.json.zst",
                "wal": "wal/market/7351234567890123456/00000001/0000000100000000/000000010000000000000003",
                "pool": "pool/00/" + "0" * 64}[role]
        header = HEADER.pack(MAGIC, 1, HEADER.size, ROLES[role], 7, segment, 0, uuid.UUID(repository).bytes,
                             bytes(range(number, number + 16)), hashlib.sha256(b"salt %d" % number).digest())
        file = f"{number}.sealed"
        (directory / file).write_bytes(seal(pattern(length), header, key, name))
        vectors.append({"file": file, "name": name, "role": ROLES[role], "plain_length": length})
    document = {"repository": repository, "generation": 7, "data_key": key.hex(), "objects": vectors}
    (directory / "vectors.json").write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    make_vectors(pathlib.Path(sys.argv[1]))
