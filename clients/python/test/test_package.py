"""What others get: the package, its types, its examples."""

import ast
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
import zipfile
from array import array
from pathlib import Path

from harness import CLIENT, ROOT, AgentTest, environment, lendbuf
from lendbuf import records

sys.path.insert(0, str(CLIENT))
import build_backend  # noqa: E402


class Wheel(AgentTest):
    def setUp(self) -> None:
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.wheel = os.path.join(self.folder, build_backend.build_wheel(self.folder))

    def borrows(self, place: str) -> str:
        program = (
            "import sys; sys.path.insert(0, sys.argv[1])\n"
            "import lendbuf, lendbuf.aio\n"
            "with lendbuf.borrow('sim0/ddr', path=sys.argv[2]) as buf: print(len(buf.read(0, 99)), lendbuf.__file__)"
        )
        return subprocess.run(
            [sys.executable, "-I", "-c", program, place, self.agent.socket],
            check=True, stdout=subprocess.PIPE, text=True, env=environment(),
        ).stdout  # fmt: skip

    def test_works_as_it_is(self) -> None:
        self.assertRegex(self.borrows(self.wheel), r"^99 .*\.whl/lendbuf/__init__\.py\n$")

    @unittest.skipUnless(
        importlib.util.find_spec("pip"), "pip is missing. Install it: sudo apt-get install python3-pip"
    )
    def test_is_built_and_installed_by_pip_without_a_network(self) -> None:
        target = os.path.join(self.folder, "target")
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--disable-pip-version-check", "--target"]

        subprocess.run([*pip, target, str(CLIENT)], check=True, env={**environment(), "PIP_ROOT_USER_ACTION": "ignore"})

        self.assertIn(target, self.borrows(target))
        self.assertTrue(os.path.exists(os.path.join(target, "lendbuf/py.typed")))
        self.assertTrue(os.path.exists(os.path.join(target, f"lendbuf-{lendbuf.__version__}.dist-info/METADATA")))

    def test_is_the_same_each_time_and_has_all_it_lists(self) -> None:
        with open(self.wheel, "rb") as wheel:
            first = wheel.read()
        build_backend.build_wheel(self.folder)

        with open(self.wheel, "rb") as wheel:
            self.assertEqual(wheel.read(), first)
        with zipfile.ZipFile(self.wheel) as archive:
            listed = [line.split(",")[0] for line in archive.read(archive.namelist()[-1]).decode().splitlines()]
            self.assertEqual(archive.namelist(), listed)

    def test_can_be_built_from_the_source_distribution(self) -> None:
        archive = os.path.join(self.folder, build_backend.build_sdist(self.folder))
        subprocess.run(["tar", "-xf", archive, "-C", self.folder], check=True)
        source = archive[: -len(".tar.gz")]
        program = "import sys; sys.path.insert(0, '.'); import build_backend; build_backend.build_wheel(sys.argv[1])"
        other = tempfile.mkdtemp(dir=self.folder)

        subprocess.run([sys.executable, "-c", program, other], check=True, cwd=source)

        with open(self.wheel, "rb") as ours, open(os.path.join(other, os.listdir(other)[0]), "rb") as theirs:
            self.assertEqual(ours.read(), theirs.read())


class Sources(unittest.TestCase):
    def test_are_python_3_9(self) -> None:
        for path in [*CLIENT.glob("*.py"), *CLIENT.glob("lendbuf/*.py"), *CLIENT.glob("examples/*.py")]:
            ast.parse(path.read_text(encoding="utf-8"), str(path), feature_version=(3, 9))

    def test_import_the_standard_library_only(self) -> None:
        if sys.version_info < (3, 10):
            self.skipTest("sys.stdlib_module_names came with Python 3.10. Run the tests with a newer one")
        for path in CLIENT.glob("lendbuf/*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom) and node.level == 0:
                    names.append(node.module or "")
                for name in names:
                    self.assertIn(name.split(".")[0], sys.stdlib_module_names, path)

    def test_have_the_version_of_the_agent(self) -> None:
        manifest = json.loads((ROOT / "apps/agent/package.json").read_text())

        self.assertEqual(lendbuf.__version__, manifest["version"])

    def test_know_all_fields_of_the_protocol(self) -> None:
        document = (ROOT / "docs/protocol.md").read_text(encoding="utf-8")
        for name in ("Delegation", "Revocation", "Proof", "Device", "Capability"):
            table = document.split(f"\n### {name}\n")[1].split("\n#")[0]
            fields = [
                field for row in re.findall(r"^\| (`.*?) \|", table, re.M) for field in re.findall(r"`(\w+)`", row)
            ]
            self.assertEqual(sorted(getattr(records, name).__annotations__), sorted(fields), name)

    def test_export_every_error(self) -> None:
        from lendbuf import errors

        kinds = [
            name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.Error)
        ]

        self.assertEqual([name for name in kinds if name not in lendbuf.__all__], [])

    def test_of_the_readme_are_python(self) -> None:
        readme = (CLIENT / "README.md").read_text(encoding="utf-8")
        for code in re.findall(r"```python\n(.*?)```", readme, re.S):
            ast.parse(code)


class Capture(AgentTest):
    PROGRAM = Path(CLIENT) / "examples/capture.py"

    def test_finds_the_newest_sample_wherever_it_is_in_the_ring(self) -> None:
        specification = importlib.util.spec_from_file_location("capture", self.PROGRAM)
        assert specification and specification.loader
        capture = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(capture)
        before = array("h", [0] * 1000)
        for start, count, head in [
            (0, 10, 10),
            (20, 10, 30),
            (990, 10, 0),
            (990, 30, 20),
            (999, 2, 1),
            (500, 800, 300),
        ]:
            now = array("h", before)
            for index in range(start, start + count):
                now[index % 1000] = 0 if index % 7 == 3 else index + 1
            self.assertEqual(capture.find_head(before, now), head, (start, count))
        self.assertIsNone(capture.find_head(before, before))

    def capture(self, *arguments: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, str(self.PROGRAM), *arguments],
            env={**environment(), "LENDBUF_SOCKET": self.agent.socket},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.addCleanup(process.stdout.close)  # type: ignore[union-attr]
        self.addCleanup(process.stderr.close)  # type: ignore[union-attr]
        self.addCleanup(process.kill)
        return process

    def test_plots_a_channel(self) -> None:
        process = self.capture("sim0/ch0", "--seconds", "0.3")

        out, err = process.communicate(timeout=15)

        self.assertEqual((process.returncode, err), (0, ""))
        low, high = map(int, re.search(r"2000 samples, (-\d+) to (\d+)", out).groups())  # type: ignore[union-attr]
        self.assertTrue(low < -7900 and high > 7900, out)  # a sine of 8,000
        self.assertGreater(len(out.splitlines()), 15)

    def test_survives_the_loss_and_plots_what_it_has(self) -> None:
        process = self.capture("sim0/ch0", "--seconds", "60")
        maps = Path(f"/proc/{process.pid}/maps")
        self.until(lambda: "/memfd:" in maps.read_text(), "it has mapped what it borrowed")
        self.operator.call("delegations.revokeAll")

        out, err = process.communicate(timeout=15)

        self.assertEqual(process.returncode, 3, err)
        self.assertIn("(panic): an operator ended everything", err)


if __name__ == "__main__":
    unittest.main()
