"""Builds the package with the standard library alone, byte for byte the same on any machine.

pip uses it by pyproject.toml (PEP 517). python3 build_package.py FOLDER writes the wheel and the
source archive there.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import os
import sys
import tarfile
import zipfile
from typing import Any, Dict, List

try:
    import tomllib
except ImportError:  # Python 3.9, 3.10
    import tomli as tomllib  # type: ignore

HERE = os.path.dirname(os.path.abspath(__file__))
MODULE = "discluster_bot"
OTHERS = ["LICENSE", "README.md", "build_package.py", "example.py", "pyproject.toml"]


def _read(name: str) -> bytes:
    with open(os.path.join(HERE, name), "rb") as file:
        return file.read()


def _project() -> Dict[str, Any]:
    project: Dict[str, Any] = tomllib.loads(_read("pyproject.toml").decode())["project"]
    return project


def _stem() -> str:
    return f"{MODULE}-{_project()['version']}"


def _sources(folder: str) -> List[str]:
    names = sorted(os.listdir(os.path.join(HERE, folder)))
    return [f"{folder}/{name}" for name in names if name.endswith((".py", ".typed"))]


def metadata() -> str:
    """Returns METADATA, made of pyproject.toml and README.md."""
    of = _project()
    lines = [
        "Metadata-Version: 2.4",
        f"Name: {of['name']}",
        f"Version: {of['version']}",
        f"Summary: {of['description']}",
        f"Author: {of['authors'][0]['name']}",
        f"License-Expression: {of['license']}",
        *(f"License-File: {name}" for name in of["license-files"]),
        f"Keywords: {','.join(of['keywords'])}",
        *(f"Classifier: {one}" for one in of["classifiers"]),
        *(f"Project-URL: {name}, {url}" for name, url in of["urls"].items()),
        f"Requires-Python: {of['requires-python']}",
        "Description-Content-Type: text/markdown",
    ]
    return "\n".join(lines) + "\n\n" + _read(of["readme"]).decode()


def build_wheel(
    wheel_directory: str, config_settings: Any = None, metadata_directory: Any = None
) -> str:
    info = f"{_stem()}.dist-info"
    files = {name: _read(name) for name in _sources(MODULE)}
    files[f"{info}/METADATA"] = metadata().encode()
    files[
        f"{info}/WHEEL"
    ] = b"Wheel-Version: 1.0\nGenerator: build_package\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    for name in _project()["license-files"]:
        files[f"{info}/licenses/{name}"] = _read(name)
    record = []
    for name, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        record.append(f"{name},sha256={digest},{len(content)}\n")
    files[f"{info}/RECORD"] = ("".join(record) + f"{info}/RECORD,,\n").encode()
    wheel = f"{_stem()}-py3-none-any.whl"
    # Not compressed: zlib's versions differ in their bytes.
    with zipfile.ZipFile(os.path.join(wheel_directory, wheel), "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, content)
    return wheel


def build_sdist(sdist_directory: str, config_settings: Any = None) -> str:
    files = {name: _read(name) for name in OTHERS + _sources(MODULE)}
    files["PKG-INFO"] = metadata().encode()
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(files):
            entry = tarfile.TarInfo(f"{_stem()}/{name}")
            entry.size = len(files[name])
            archive.addfile(entry, io.BytesIO(files[name]))
    sdist = f"{_stem()}.tar.gz"
    with open(os.path.join(sdist_directory, sdist), "wb") as file:
        with gzip.GzipFile("", "wb", 0, file, 0) as zipped:  # not compressed, as above
            zipped.write(content.getvalue())
    return sdist


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python3 build_package.py FOLDER")
    print(build_wheel(sys.argv[1]))
    print(build_sdist(sys.argv[1]))
