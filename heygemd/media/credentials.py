"""Content Credentials (C2PA): a signed statement in the mp4 that lips in it are synthetic."""

from __future__ import annotations

import json
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heygemd import __version__
from heygemd.errors import ConfigError, DependencyError, MediaError

# What C2PA 2.2 calls a picture that is composed of recorded and machine-made parts (IPTC's word).
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
_BY_CURVE = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs mp4s with a certificate of the user's.

    Attributes:
        certificate: PEM, the signer's own first, then those that vouch for it.
        key: PEM, its private key, PKCS 8.
        algorithm: C2PA's name for what the key does.
    """

    certificate: bytes
    key: bytes
    algorithm: str

    def sign(self, path: Path, *, title: str, comment: str) -> None:
        """Replace an mp4 by the same one with its credentials, moov still before mdat.

        Args:
            path: the mp4.
            title: what people call it.
            comment: what was done, in words.

        Raises:
            MediaError: ``unsigned``, when the certificate or the file is refused.
        """
        import c2pa  # noqa: PLC0415 - optional, and loads 40 MB

        signed = path.with_suffix(".signed.mp4")
        try:
            info = c2pa.C2paSignerInfo(self.algorithm, self.certificate, self.key, None)
            with c2pa.Signer.from_info(info) as signer:
                builder = c2pa.Builder(json.dumps(_manifest(title, comment)))
                builder.sign_file(str(path), str(signed), signer)
        except c2pa.C2paError as error:
            signed.unlink(missing_ok=True)
            raise MediaError(
                f"the output cannot be signed: {error}; check encode.c2pa_cert and "
                "encode.c2pa_key, or leave both empty",
                code="unsigned",
            ) from error
        signed.replace(path)


def load_signer(certificate: Path, key: Path) -> Signer:
    """Read a certificate and its key.

    Raises:
        ConfigError: unreadable, no key that C2PA signs with, or a key that others may read.
        DependencyError: c2pa-python is missing.
    """
    try:
        import c2pa  # noqa: F401, PLC0415 - see Signer.sign
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - comes with it
    except ImportError as error:
        raise DependencyError(
            f"encode.c2pa_cert wants c2pa-python: {error}; run pip install 'heygemd[c2pa]'"
        ) from error
    try:
        texts = certificate.read_bytes(), key.read_bytes()
        if key.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH):
            raise ConfigError(f"{key} may be read by everybody; chmod o-rwx {key}")
        loaded = serialization.load_pem_private_key(texts[1], password=None)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"encode.c2pa_cert {certificate}, c2pa_key {key}: {error}") from error
    return Signer(*texts, _algorithm(loaded, key))


def _algorithm(key: Any, path: Path) -> str:  # noqa: ANN401 - one of cryptography's many key types
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: PLC0415 - as above

    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _BY_CURVE:
        return _BY_CURVE[key.curve.name]
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519"
    if isinstance(key, rsa.RSAPrivateKey):
        return "ps256"
    raise ConfigError(
        f"{path} is a {type(key).__name__}, want a key on P-256, P-384 or P-521, Ed25519 or RSA"
    )


def _manifest(title: str, comment: str) -> dict[str, Any]:
    action = {
        "action": "c2pa.created",
        "digitalSourceType": SOURCE_TYPE,
        "description": comment or "Lip movements were synthesised.",
        "softwareAgent": {"name": "heygemd", "version": __version__},
    }
    return {
        "claim_generator_info": [{"name": "heygemd", "version": __version__}],
        "title": title,
        "format": "video/mp4",
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [action]}}],
    }
