"""Runs the functions check_… of a module and prints what came of each: python3 checks.py MODULE HTTP_URL GRPC_ADDRESS"""

import asyncio
import importlib
import inspect
import json
import sys
import traceback
from typing import NamedTuple


class Server(NamedTuple):
    url: str
    grpc: str

    @property
    def http(self) -> str:
        """Host and port."""
        return self.url.removeprefix("http://")


def outcome(check, server: Server) -> str:
    try:
        found = check(server)
        if inspect.isawaitable(found):
            asyncio.run(found)
        return "passed"
    except BaseException:
        return traceback.format_exc()


if __name__ == "__main__":
    name, url, grpc = sys.argv[1:]
    module = importlib.import_module(name)
    checks = {key: value for key, value in vars(module).items() if key.startswith("check_")}
    print(json.dumps({key.removeprefix("check_"): outcome(check, Server(url, grpc)) for key, check in checks.items()}))
