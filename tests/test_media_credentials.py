"""Outputs signed with a certificate of the user's say that they are synthetic, and prove it."""

import json
import subprocess

import lavfi
import pytest

from heygemd.errors import ConfigError, MediaError
from heygemd.media.credentials import SOURCE_TYPE, load_signer
from heygemd.media.sniff import walk_boxes

c2pa = pytest.importorskip("c2pa")
TITLE, COMMENT = "anna", "Lip movements were synthesised."
LEAF = (
    "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
    "extendedKeyUsage=emailProtection\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
)


def openssl(folder, *words):
    done = subprocess.run(
        ["openssl", *map(str, words)], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def make_certificate(folder, kind=("EC", "ec_paramgen_curve:P-256")):
    """(chain, key): a certificate of a test authority's, as a company would have one."""
    algorithm, parameter = kind
    option = ("-pkeyopt", parameter) if parameter else ()
    for name in ("authority", "own"):
        openssl(folder, "genpkey", "-algorithm", algorithm, *option, "-out", f"{name}.key")
        (folder / f"{name}.key").chmod(0o600)
    (folder / "leaf.cnf").write_text(LEAF)
    openssl(folder, "req", "-x509", "-new", "-key", "authority.key", "-days", "30", "-subj",
            "/O=Test/CN=Authority", "-out", "authority.pem", "-addext",
            "keyUsage=critical,keyCertSign,cRLSign")  # fmt: skip
    openssl(
        folder, "req", "-new", "-key", "own.key", "-subj", "/O=Test/CN=Studio", "-out", "own.csr"
    )
    openssl(folder, "x509", "-req", "-in", "own.csr", "-CA", "authority.pem", "-CAkey",
            "authority.key", "-CAcreateserial", "-days", "20", "-extfile", "leaf.cnf", "-out",
            "own.pem")  # fmt: skip
    chain = folder / "chain.pem"
    chain.write_text((folder / "own.pem").read_text() + (folder / "authority.pem").read_text())
    return chain, folder / "own.key"


def clip(path):
    return lavfi.film(path, "-f", "lavfi", "-i", "sine=d=1", "-c:a", "aac", "-movflags",
                      "+faststart", n_frames=25)  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "algorithm"),
    [
        (("EC", "ec_paramgen_curve:P-256"), "es256"),
        (("EC", "ec_paramgen_curve:P-384"), "es384"),
        (("ED25519", ""), "ed25519"),
        (("RSA", "rsa_keygen_bits:2048"), "ps256"),
    ],
)
def test_an_output_is_signed_by_any_key_that_c2pa_knows(tmp_path, kind, algorithm):
    signer = load_signer(*make_certificate(tmp_path, kind))
    path = clip(tmp_path / "out.mp4")
    before = lavfi.raw_frames(path)
    signer.sign(path, title=TITLE, comment=COMMENT)
    assert signer.algorithm == algorithm
    said = json.loads(c2pa.Reader(str(path)).json())
    manifest = said["manifests"][said["active_manifest"]]
    assert manifest["title"] == TITLE
    actions = next(a for a in manifest["assertions"] if a["label"].startswith("c2pa.actions"))
    (action,) = actions["data"]["actions"]
    assert action["digitalSourceType"] == SOURCE_TYPE
    assert action["description"] == COMMENT
    problems = {status["code"] for status in said.get("validation_status", [])}
    assert problems <= {"signingCredential.untrusted"}  # nobody knows the test's authority
    assert lavfi.raw_frames(path) == before
    order = [box.kind for box in walk_boxes(path) if box.kind in {"moov", "mdat"}]
    assert order == ["moov", "mdat"]
    assert sorted(p.name for p in tmp_path.glob("*.mp4")) == ["out.mp4"]


def test_a_changed_output_no_longer_keeps_its_word(tmp_path):
    path = clip(tmp_path / "out.mp4")
    load_signer(*make_certificate(tmp_path)).sign(path, title=TITLE, comment=COMMENT)
    content = bytearray(path.read_bytes())
    content[-50] ^= 1
    path.write_bytes(content)
    said = json.loads(c2pa.Reader(str(path)).json())
    assert "assertion.bmffHash.mismatch" in {s["code"] for s in said["validation_status"]}


def test_a_certificate_of_another_key_is_refused_and_the_output_stays(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    chain, _ = make_certificate(tmp_path / "a", ("EC", "ec_paramgen_curve:P-384"))
    _, key = make_certificate(tmp_path / "b")
    path = clip(tmp_path / "out.mp4")
    before = path.read_bytes()
    with pytest.raises(MediaError, match="cannot be signed") as caught:
        load_signer(chain, key).sign(path, title=TITLE, comment=COMMENT)
    assert caught.value.reason == "unsigned"
    assert path.read_bytes() == before
    assert list(tmp_path.glob("*.signed*")) == []


def test_a_key_that_everybody_may_read_is_refused(tmp_path):
    chain, key = make_certificate(tmp_path)
    key.chmod(0o644)
    with pytest.raises(ConfigError, match="may be read by everybody"):
        load_signer(chain, key)


def test_a_key_that_is_none_is_refused(tmp_path):
    chain, key = make_certificate(tmp_path)
    key.write_text("hello")
    with pytest.raises(ConfigError, match="c2pa_key"):
        load_signer(chain, key)


def test_a_certificate_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.pem"):
        load_signer(tmp_path / "nowhere.pem", tmp_path / "nowhere.key")
