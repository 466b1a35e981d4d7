from __future__ import annotations

import ast
import base64
import hashlib
import importlib.util
import subprocess
import sys
import tarfile
import tempfile
import unittest
import zipfile
from email.parser import Parser
from pathlib import Path
from typing import Any, Set

import discluster_bot

HERE = Path(__file__).resolve().parents[1]
ROOT = HERE.parents[2]
WIDEST = 100  # columns of a comment


def build_package() -> Any:
    spec = importlib.util.spec_from_file_location("build_package", HERE / "build_package.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Package(unittest.TestCase):
    def test_licence_is_the_repositorys(self) -> None:
        self.assertEqual((HERE / "LICENSE").read_text(), (ROOT / "LICENSE").read_text())

    def test_needs_nothing_but_the_standard_library_of_python_3_9(self) -> None:
        for path in sorted((HERE / "discluster_bot").glob("*.py")):
            tree = ast.parse(path.read_text(), feature_version=(3, 9))
            for node in ast.walk(tree):
                names = []
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom) and node.level == 0:
                    names = [node.module or ""]
                for name in names:
                    if sys.version_info >= (3, 10):
                        self.assertIn(name.split(".")[0], sys.stdlib_module_names, path.name)

    def test_comments_fit(self) -> None:
        for path in sorted(HERE.rglob("*.py")):
            for number, line in enumerate(path.read_text().split("\n"), 1):
                if line.lstrip().startswith("#"):
                    self.assertLessEqual(len(line), WIDEST, f"{path.name}:{number}")
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(
                    node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
                ):
                    for line in (ast.get_docstring(node, clean=False) or "").split("\n"):
                        self.assertLessEqual(len(line), WIDEST, f"{path.name}: {line}")

    @unittest.skipIf(sys.version_info < (3, 11), "tomllib came with Python 3.11")
    def test_files_are_whole_and_always_the_same(self) -> None:
        built = []
        for _ in range(2):
            with tempfile.TemporaryDirectory() as folder:
                names = build_package().build_wheel(folder), build_package().build_sdist(folder)
                built.append([Path(folder, name).read_bytes() for name in names])
        self.assertEqual(built[0], built[1])
        self.assertEqual(
            names, ("discluster_bot-0.1.0-py3-none-any.whl", "discluster_bot-0.1.0.tar.gz")
        )

    @unittest.skipIf(sys.version_info < (3, 11), "tomllib came with Python 3.11")
    def test_wheel_has_what_pip_wants(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            build = build_package()
            wheel, sdist = Path(folder, build.build_wheel(folder)), Path(
                folder, build.build_sdist(folder)
            )
            with zipfile.ZipFile(wheel) as archive:
                info = f"discluster_bot-{discluster_bot.__version__}.dist-info"
                metadata = Parser().parsestr(archive.read(f"{info}/METADATA").decode())
                self.assertEqual(
                    (metadata["Name"], metadata["Version"]),
                    ("discluster-bot", discluster_bot.__version__),
                )
                self.assertEqual(
                    (metadata["License-Expression"], metadata["Requires-Python"]), ("MIT", ">=3.9")
                )
                self.assertIn("discluster_bot/py.typed", archive.namelist())
                self.assertEqual(records(archive, f"{info}/RECORD"), set(archive.namelist()))
                self.assertEqual(
                    archive.read(f"{info}/licenses/LICENSE"), (ROOT / "LICENSE").read_bytes()
                )
            with tarfile.open(sdist) as archive:
                self.assertIn("discluster_bot-0.1.0/pyproject.toml", archive.getnames())
            code = "import discluster_bot as d; print(d.__file__, d.__version__)"
            run = [sys.executable, "-c", code]
            env = {"PYTHONPATH": str(wheel)}
            out = subprocess.run(
                run, cwd=folder, env=env, check=True, capture_output=True, text=True
            )
            self.assertEqual(
                out.stdout.strip(),
                f"{wheel}/discluster_bot/__init__.py {discluster_bot.__version__}",
            )


def records(wheel: zipfile.ZipFile, name: str) -> Set[str]:
    """Returns the files that RECORD names, with their right digests."""
    right = set()
    for line in wheel.read(name).decode().splitlines():
        file, digest, size = line.split(",")
        own = (
            base64.urlsafe_b64encode(hashlib.sha256(wheel.read(file)).digest())
            .rstrip(b"=")
            .decode()
        )
        if file == name or (digest, size) == (f"sha256={own}", str(len(wheel.read(file)))):
            right.add(file)
    return right
