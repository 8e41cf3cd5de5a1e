"""Packs the package (PEP 517). A wheel is a zip of it and of its metadata (PEP 427), so nothing is fetched."""

import base64
import hashlib
import io
import re
import tarfile
import zipfile
from pathlib import Path
from typing import Any, Dict, List, Optional

HERE = Path(__file__).resolve().parent
NAME = "lendbuf"
#: Everything has the same time, so that the same sources make the same bytes.
EPOCH = (1980, 1, 1, 0, 0, 0)


def build_wheel(folder: str, settings: Optional[Dict[str, Any]] = None, metadata: Optional[str] = None) -> str:
    stem = f"{NAME}-{_version()}"
    info = f"{stem}.dist-info"
    files = _package()
    files[f"{info}/METADATA"] = _metadata().encode()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: lendbuf\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    lines = [f"{path},sha256={_hash(content)},{len(content)}" for path, content in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*lines, f"{info}/RECORD,,", ""]).encode()
    wheel = f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(Path(folder) / wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            entry = zipfile.ZipInfo(path, EPOCH)
            entry.external_attr = 0o100644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return wheel


def build_sdist(folder: str, settings: Optional[Dict[str, Any]] = None) -> str:
    stem = f"{NAME}-{_version()}"
    files = _package()
    for name in ("build_backend.py", "pyproject.toml", "README.md"):
        files[name] = (HERE / name).read_bytes()
    files["PKG-INFO"] = _metadata().encode()
    with tarfile.open(Path(folder) / f"{stem}.tar.gz", "w:gz", format=tarfile.PAX_FORMAT) as archive:
        for path, content in files.items():
            entry = tarfile.TarInfo(f"{stem}/{path}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return f"{stem}.tar.gz"


def get_requires_for_build_wheel(settings: Optional[Dict[str, Any]] = None) -> List[str]:
    return []


get_requires_for_build_sdist = get_requires_for_build_wheel


def _package() -> Dict[str, bytes]:
    paths = sorted([*(HERE / NAME).glob("*.py"), HERE / NAME / "py.typed"])
    return {f"{NAME}/{path.name}": path.read_bytes() for path in paths}


def _version() -> str:
    return _found(r'^__version__ = "(.+)"$', HERE / NAME / "versions.py")


def _metadata() -> str:
    project = HERE / "pyproject.toml"
    fields = {
        "Metadata-Version": "2.1",
        "Name": NAME,
        "Version": _version(),
        "Summary": _found(r'^description = "(.+)"$', project),
        "License": "Apache-2.0",
        "Requires-Python": _found(r'^requires-python = "(.+)"$', project),
        "Description-Content-Type": "text/markdown",
    }
    head = "".join(f"{name}: {value}\n" for name, value in fields.items())
    return f"{head}\n{(HERE / 'README.md').read_text(encoding='utf-8')}"


def _found(pattern: str, path: Path) -> str:
    """Read so because tomllib is newer than the oldest Python that this is for."""
    match = re.search(pattern, path.read_text(encoding="utf-8"), re.MULTILINE)
    assert match, f"{path} has no {pattern}"
    return match[1]


def _hash(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
