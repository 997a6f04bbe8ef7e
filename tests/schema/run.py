#!/usr/bin/env python3
"""Holds the server against its own description: schemathesis makes up requests from /api/openapi.json, as each kind of
caller, and no answer may be a fault of the server or one that the description leaves out.

    python3 tests/schema/run.py target/debug/coterie

Each caller has a server to themselves, two at a time: on SQLite, and where COTERIE_TEST_POSTGRES names a cluster
(tests/with-postgres) every other one on Postgres. Needs Python 3.10 with venv; schemathesis is installed into a folder beside
Cargo's output, once.
"""

import http.cookiejar
import http.server
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.parse
import urllib.request
import venv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SCHEMATHESIS = "schemathesis==4.32.5"
# For each caller, in seconds.
TIME = os.environ.get("COTERIE_SCHEMA_SECONDS", "22")
SEED = os.environ.get("COTERIE_SCHEMA_SEED", "1")
POSTGRES = os.environ.get("COTERIE_TEST_POSTGRES")
# Who meets most statements comes on either: an owner on SQLite, who writes and who looks after the server on Postgres.
CALLERS = ["stranger", "viewer", "commenter", "editor", "owner", "operator"]
AT_ONCE = 2
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


class Github(http.server.BaseHTTPRequestHandler):
    """As much of GitHub as lets one person sign in."""

    def do_GET(self) -> None:
        asked = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        if self.path.startswith("/login/oauth/authorize"):
            self.send_response(302)
            self.send_header("location", f"{asked['redirect_uri'][0]}?code=1&state={asked['state'][0]}")
            self.end_headers()
        else:
            self.answer({"id": 1, "login": "root", "name": "Root", "avatar_url": "https://avatars.example/1"})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        if "/applications/" in self.path:
            # Tokens that are made up are nobody's.
            self.send_error(404)
            return
        self.answer({"access_token": "token", "scope": "", "token_type": "bearer"})

    def answer(self, value: dict) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Browser:
    """A guest with a cookie, or where no name is given whoever GitHub knows."""

    def __init__(self, url: str, name: str | None = None):
        self.url, self.jar = url, http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self.jar))
        if name is None:
            self.opener.open(f"{url}/auth/github?next=/healthz", timeout=30).close()
        else:
            self.post("/auth/guest", {"name": name})

    def post(self, path: str, body: dict) -> dict:
        headers = {"content-type": "application/json", "origin": self.url}
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), headers)
        with self.opener.open(request, timeout=30) as response:
            return json.load(response)

    def is_signed_in(self) -> bool:
        try:
            with self.opener.open(f"{self.url}/api/me", timeout=30) as response:
                return response.status == 200
        except urllib.error.HTTPError:
            return False

    def cookie(self) -> str:
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.jar)


def start(binary: str, folder: str, database: str | None, github: str) -> tuple[subprocess.Popen, str]:
    settings = {
        "COTERIE_LISTEN": "127.0.0.1:0",
        "COTERIE_DATA_DIR": folder,
        "COTERIE_GUESTS": "on",
        "COTERIE_USER_RATE": "100000/100000",
        "COTERIE_PROJECT_RATE": "100000/100000",
        "GITHUB_CLIENT_ID": "app",
        "GITHUB_CLIENT_SECRET": "secret",
        "GITHUB_URL": github,
        "GITHUB_API_URL": github,
        "RUST_LOG": "error",
    }
    if database:
        settings["DATABASE_URL"] = database
    server = subprocess.Popen([binary], env=settings, cwd=folder, stdout=subprocess.PIPE, text=True)
    line = server.stdout.readline()
    found = re.search(r"open (http://\S+)", line)
    if not found:
        sys.exit(f"the server did not start: {line!r}")
    return server, found[1]


def fresh_database(role: str) -> str:
    """A database of its own in the cluster."""
    name = f"coterie_schema_{os.getpid()}_{role}"
    subprocess.run(["psql", POSTGRES, "--quiet", "--command", f"create database {name}"], check=True)
    return f"{POSTGRES.rsplit('/', 1)[0]}/{name}"


def hold(program: Path, binary: str, role: str, engine: str, github: str) -> str | None:
    """Holds a server against its description, as this caller; answers what was wrong."""
    with tempfile.TemporaryDirectory() as folder:
        server, url = start(binary, folder, fresh_database(role) if engine == "Postgres" else None, github)
        try:
            browsers = {"operator": Browser(url), "owner": Browser(url, "Owner")}
            owner = browsers["owner"]
            project = owner.post("/api/projects", {"name": "Held against"})["id"]
            document = owner.post(f"/api/projects/{project}/documents", {"path": "a.md", "content": "text"})["id"]
            headers = ["-H", f"Origin: {url}"]
            if role in browsers:
                headers += ["-H", f"Cookie: {browsers[role].cookie()}"]
            elif role != "stranger":
                token = owner.post(f"/api/projects/{project}/tokens", {"role": role})["token"]
                headers += ["-H", f"Authorization: Bearer {token}"]
            config = Path(folder) / "schemathesis.toml"
            config.write_text(f'[parameters]\n"path.p" = "{project}"\n"path.d" = "{document}"\n')
            command = [
                str(program), "--config-file", str(config), "run", f"{url}/api/openapi.json", "--checks", CHECKS,
                "--seed", SEED, "--max-time", TIME, "--phases", "examples,coverage,fuzzing", "--no-color",
                "--warnings", "off", "--suppress-health-check", "all", "--generation-database", "none",
                "--exclude-path", "/auth/logout", "--exclude-path", "/metrics",
                # It makes no archives.
                "--exclude-path", "/api/projects/{p}/import", *headers,
            ]
            # What ends what is called with is left out: the project itself, and one's own login, which also ends by
            # signing in anew.
            left_out = ["delete_project"]
            if role in browsers:
                left_out += ["end_login", "end_logins", "sign_in_as_guest", "github_callback"]
            for operation in left_out:
                command += ["--exclude-operation-id", operation]
            run = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            print(f"-- as {role} on {engine}\n{run.stdout}", flush=True)
            if run.returncode != 0:
                return f"{role} on {engine}"
            if role in browsers and not browsers[role].is_signed_in():
                return f"{role} on {engine} was signed out meanwhile"
            if server.poll() is not None:
                return f"the server of {role} on {engine} ended"
            return None
        finally:
            server.terminate()
            server.wait(timeout=20)


def main() -> int:
    binary = str(Path(sys.argv[1]).resolve())
    program = tool(Path(binary).parent.parent)
    github = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Github)
    threading.Thread(target=github.serve_forever, daemon=True).start()
    at_github = f"http://127.0.0.1:{github.server_port}"
    engines = ["SQLite", "Postgres" if POSTGRES else "SQLite"]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        held = [pool.submit(hold, program, binary, role, engines[at % 2], at_github) for at, role in enumerate(CALLERS)]
        failed = [wrong for wrong in (one.result() for one in held) if wrong]
    if failed:
        print(f"not as described: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
