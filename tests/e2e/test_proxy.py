"""docs/proxy.conf in front of two services: who gets what, and that nginx's own pages are problems too."""

import json
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import jsonschema
import pytest

from bench.servers import free_port_base
from contracts.documents.write import HERE
from contracts.problems import TITLES
from tests.stack import eventually

CONF = (Path(__file__).parents[2] / "docs" / "proxy.conf").read_text()
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
MAIN = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    {conf}
}}
"""
SCHEMA = json.loads((HERE / "schemas/problem.schema.json").read_text())
needs_nginx = pytest.mark.skipif(NGINX is None, reason="nginx is not installed: apt install nginx")


class Service(ThreadingHTTPServer):
    """Answers its name, and /readyz as it is told to."""

    def __init__(self, name: str) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.name, self.ready = name, True
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def end(self) -> None:
        self.shutdown()
        self.server_close()


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        service = self.server
        assert isinstance(service, Service)
        self.rfile.read(int(self.headers.get("content-length", 0)))
        body = f"{service.name} {self.path}".encode()
        self.send_response(503 if self.path == "/readyz" and not service.ready else 200)
        self.send_header("content-length", str(len(body)))
        self.send_header("connection", "close")  # so that a service that ended has no threads left
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_POST = do_DELETE = do_HEAD = do_GET  # noqa: N815

    def log_message(self, *arguments: object) -> None:
        """Nothing: a test's output is its own."""


class Proxy:
    def __init__(self, port: int, ingest: Service, query: Service) -> None:
        self.port, self.ingest, self.query = port, ingest, query
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30)

    def raw(self, request: bytes) -> tuple[int, bytes]:
        """Status and body of the answer to these bytes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as client:
            client.sendall(request)
            answer = b"".join(iter(lambda: client.recv(65536), b""))
        head, _, body = answer.partition(b"\r\n\r\n")
        assert b"application/problem+json" in head, answer
        return int(head.split()[1]), body


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    assert NGINX is not None
    folder, port = tmp_path_factory.mktemp("nginx"), free_port_base()
    ingest, query = Service("ingest"), Service("query")
    conf = re.sub(r"^resolver .*$", "", CONF, flags=re.M).replace(" resolve;", ";")
    for service in (ingest, query):
        conf = conf.replace(
            f"server {service.name}:8080", f"server 127.0.0.1:{service.server_port}"
        )
    conf = conf.replace("listen 8080", f"listen 127.0.0.1:{port}")
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder, conf=conf))
    command = [NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf")]
    command += ["-e", str(folder / "error.log")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)

    def listens() -> bool:
        assert process.poll() is None, process.communicate()[1]
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        eventually(listens)
        proxy = Proxy(port, ingest, query)
        yield proxy
        proxy.http.close()
    finally:
        process.kill()
        process.communicate()
        ingest.end()
        query.end()


@needs_nginx
@pytest.mark.parametrize(
    ("method", "path", "service"),
    [
        ("GET", "/api/v1/events?q=x", "query"),
        ("GET", "/api/v1/events/1", "query"),
        ("DELETE", "/api/v1/events/1", "query"),
        ("POST", "/api/v1/events", "ingest"),
        ("POST", "/api/v1/events:batch", "ingest"),
        ("GET", "/api/v1/subscriptions", "ingest"),
        ("GET", "/api/v1/subscriptions/1/deliveries?state=dead", "query"),
        ("GET", "/api/v1/subscriptions/1/health", "query"),
        ("GET", "/api/v1/subscriptions/1/changes", "ingest"),
    ],
)
def test_a_request_goes_to_its_service(proxy: Proxy, method: str, path: str, service: str) -> None:
    assert proxy.http.request(method, path).text == f"{service} {path}"


@needs_nginx
def test_the_head_of_a_search_is_the_query_services(proxy: Proxy) -> None:
    length = proxy.http.head("/api/v1/events").headers["content-length"]
    assert int(length) == len("query /api/v1/events")


@needs_nginx
@pytest.mark.parametrize(
    ("ingest", "query", "waiting_for"),
    [(False, True, ["ingest"]), (True, False, ["query"]), (False, False, ["ingest", "query"])],
)
def test_ready_names_the_services_that_are_not(
    proxy: Proxy, ingest: bool, query: bool, waiting_for: list[str]
) -> None:
    proxy.ingest.ready, proxy.query.ready = ingest, query
    try:
        answer = proxy.http.get("/readyz")
        assert (answer.status_code, answer.json()["waiting_for"]) == (503, waiting_for)
    finally:
        proxy.ingest.ready = proxy.query.ready = True
    assert proxy.http.get("/readyz").status_code == 200
    assert proxy.http.get("/readyz/query").text == "query /readyz"


@needs_nginx
@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"TRACE / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 501),
        (b"GET / HTTP/9.1\r\nHost: a\r\n\r\n", 505),
    ],
)
def test_what_nginx_refuses_is_a_problem(proxy: Proxy, request_: bytes, status: int) -> None:
    found, body = proxy.raw(request_)
    assert found == status, body
    problem = json.loads(body)
    jsonschema.validate(problem, SCHEMA)
    assert problem["status"] == status


@needs_nginx
def test_a_service_that_is_gone_is_a_503(proxy: Proxy) -> None:
    proxy.query.end()
    answer = proxy.http.get("/api/v1/events")
    assert (answer.status_code, answer.json()["status"]) == (503, 503)
    assert answer.headers["retry-after"] == "1"
    assert proxy.http.get("/readyz").json()["waiting_for"] == ["query"]


def test_every_problem_of_the_proxy_is_one_that_the_services_have() -> None:
    """Also where nginx is not installed: type, title and status are those of contracts/problems."""
    bodies = re.findall(r"return (\d+) '(\{\"type.*?\})'", CONF)
    assert len(bodies) == 8
    for status, text in bodies:
        problem = json.loads(text)
        slug, title = TITLES[int(status)]
        assert problem["type"] == f"urn:events-api:problem:{slug}"
        assert (problem["title"], problem["status"]) == (title, int(status))
