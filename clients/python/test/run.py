"""Runs all tests and says of each, in a line of JSON, how it went: for python.test.mjs.

By hand: python3 -m unittest discover -s test
"""

import json
import sys
import unittest
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


class Report(unittest.TestResult):
    def addSuccess(self, test: unittest.TestCase) -> None:
        self._say(test, ok=True)

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        self._say(test, ok=True, skip=reason)

    def addFailure(self, test: unittest.TestCase, error: Any) -> None:
        super().addFailure(test, error)
        self._say(test, ok=False, why=self.failures[-1][1])

    def addError(self, test: unittest.TestCase, error: Any) -> None:
        super().addError(test, error)
        self._say(test, ok=False, why=self.errors[-1][1])

    def _say(self, test: unittest.TestCase, **how: Any) -> None:
        name = test.id().replace(".test_", ": ", 1).replace("_", " ").replace("test ", "", 1)
        print(json.dumps({"name": name, **how}), flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    outcome = Report()
    unittest.defaultTestLoader.discover(str(HERE)).run(outcome)
    print(json.dumps({"ran": outcome.testsRun, "failed": len(outcome.failures) + len(outcome.errors)}))
    sys.exit(0 if outcome.wasSuccessful() else 1)
