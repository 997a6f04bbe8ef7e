#!/usr/bin/env python3
"""Holds the server against its own description: schemathesis makes up requests from /api/openapi.json, as each kind of
caller, and no answer may be a fault of the server or one that the description leaves out.

    python3 tests/schema/run.py target/debug/coterie

Needs Python 3.10 with venv; schemathesis is installed into a folder beside Cargo's output, once.
"""

import http.cookiejar
import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.request
import venv
from pathlib import Path

SCHEMATHESIS = "schemathesis==4.32.5"
# For each caller, in seconds.
TIME = os.environ.get("COTERIE_SCHEMA_SECONDS", "25")
SEED = os.environ.get("COTERIE_SCHEMA_SEED", "1")
CHECKS = ",".join([
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
])


def tool(target: Path) -> Path:
    """The program, installed when it is not there in this version."""
    folder = target / "schemathesis"
    program = folder / "bin" / "st"
    stamp = folder / SCHEMATHESIS
    if not stamp.exists():
        venv.create(folder, with_pip=True, clear=True)
        pip = [folder / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", SCHEMATHESIS]
        subprocess.run(pip, check=True)
        stamp.touch()
    return program


class Browser:
    """A guest with a cookie."""

    def __init__(self, url: str, name: str):
        self.url, self.jar = url, http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self.jar))
        self.user = self.post("/auth/guest", {"name": name})

    def post(self, path: str, body: dict) -> dict:
        headers = {"content-type": "application/json", "origin": self.url}
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), headers)
        with self.opener.open(request, timeout=30) as response:
            return json.load(response)

    def cookie(self) -> str:
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.jar)


def start(binary: str, folder: str) -> tuple[subprocess.Popen, str]:
    settings = {
        "COTERIE_LISTEN": "127.0.0.1:0",
        "COTERIE_DATA_DIR": folder,
        "COTERIE_GUESTS": "on",
        "COTERIE_USER_RATE": "100000/100000",
        "COTERIE_PROJECT_RATE": "100000/100000",
        "RUST_LOG": "error",
    }
    server = subprocess.Popen([binary], env=settings, cwd=folder, stdout=subprocess.PIPE, text=True)
    line = server.stdout.readline()
    found = re.search(r"open (http://\S+)", line)
    if not found:
        sys.exit(f"the server did not start: {line!r}")
    return server, found[1]


def main() -> int:
    binary = str(Path(sys.argv[1]).resolve())
    program = tool(Path(binary).parent.parent)
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        server, url = start(binary, folder)
        try:
            owner = Browser(url, "Owner")
            project = owner.post("/api/projects", {"name": "Held against"})["id"]
            for role in ["stranger", "viewer", "editor", "owner"]:
                # A document for each, since callers delete what they may.
                body = {"path": f"{role}.md", "content": "text"}
                document = owner.post(f"/api/projects/{project}/documents", body)["id"]
                headers = ["-H", f"Origin: {url}"]
                if role == "owner":
                    headers += ["-H", f"Cookie: {owner.cookie()}"]
                elif role != "stranger":
                    token = owner.post(f"/api/projects/{project}/tokens", {"role": role})["token"]
                    headers += ["-H", f"Authorization: Bearer {token}"]
                config = Path(folder) / f"{role}.toml"
                config.write_text(f'[parameters]\n"path.p" = "{project}"\n"path.d" = "{document}"\n')
                print(f"-- as {role}", flush=True)
                command = [
                    str(program), "--config-file", str(config), "run", f"{url}/api/openapi.json", "--checks", CHECKS,
                    "--seed", SEED, "--max-time", TIME, "--phases", "examples,coverage,fuzzing", "--no-color",
                    "--warnings", "off", "--suppress-health-check", "all", "--generation-database", "none",
                    "--exclude-path", "/auth/logout", "--exclude-path", "/metrics",
                    # It makes no archives.
                    "--exclude-path", "/api/projects/{p}/import", *headers,
                ]
                # What ends everything for those who come after is left out: the project itself.
                command += ["--exclude-operation-id", "delete_project"]
                if subprocess.run(command, cwd=folder).returncode != 0:
                    failed.append(role)
            if server.poll() is not None:
                failed.append("the server ended")
        finally:
            server.terminate()
            server.wait(timeout=20)
    if failed:
        print(f"not as described: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
