"""The programs of .ci/stack: a relay, a stand-in for Transform, the payment stack and a proxy, on free ports; and what Transform
and the PSPs ask of them through the proxy."""

import contextlib, http.client, json, os, pathlib, re, signal, socket, ssl, subprocess, sys, threading, time

PROGRAM = os.path.abspath(sys.argv[1])  # the relay
EXAMPLE = pathlib.Path("examples/stack").resolve()
PATIENCE = 30  # seconds until a condition that does not come true is a failure
SECRETS = {
    "TRANSFORM_TOKEN": "transform-token-of-this-run",
    "STACK_TOKEN": "payment-stack-token-of-this-run",
    "STRIPE_WEBHOOK_SECRET": "whsec_secret_of_this_run",
    "GOCARDLESS_SECRET": "gocardless-secret-of-this-run",
    "ADYEN_HMAC_KEY": "00112233445566778899aabbccddeeff" * 2,
}


class Process:
    """A program whose lines are heard."""

    def __init__(self, name, *command, env=None, stop=signal.SIGTERM):
        self.name, self.lines, self.came, self.stop = name, [], threading.Condition(), stop
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "errors": "replace"}
        self.child = subprocess.Popen(command, env=os.environ | SECRETS | (env or {}), **streams)
        threading.Thread(target=self._hear, daemon=True).start()

    def _hear(self):
        for line in self.child.stdout:
            with self.came:
                self.lines.append(line.rstrip())
                self.came.notify_all()

    def says(self, pattern, after=0):
        """Waits for a line after the first `after` ones. Returns it, and how many lines there are up to it."""
        deadline = time.monotonic() + PATIENCE
        with self.came:
            while True:
                for count, line in enumerate(self.lines[after:], after + 1):
                    if re.search(pattern, line):
                        return line, count
                if not self.came.wait(deadline - time.monotonic()):
                    raise AssertionError(f"{self.name} has not said {pattern!r}, but:\n" + "\n".join(self.lines[-20:]))

    def end(self, signal=None):
        self.child.send_signal(signal or self.stop)
        self.child.wait(PATIENCE)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def listens(port):
    deadline = time.monotonic() + PATIENCE
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        assert time.monotonic() < deadline, f"nobody listens on port {port}"
        time.sleep(0.02)


class World:
    """A relay, a stand-in for Transform, the payment stack and a proxy."""

    def __init__(self, proxy, folder):
        self.folder = folder
        self.ports = {name: free_port() for name in ("relay", "stack", "transform", "proxy")}
        self.relay_env = {
            "RELAY_SERVER__LISTEN": self.at("relay"),
            "RELAY_STORE__PATH": f"{folder}/relay.db",
            "RELAY_TRANSFORM__WEBHOOK_TARGET": self.target(),
            "RELAY_DEBOUNCE__QUIET": "50ms",
            "SSL_CERT_FILE": f"{folder}/proxy.pem",
        }
        self.base = f"https://localhost:{self.ports['proxy']}"
        self.certificate()
        self.trust = ssl.create_default_context(cafile=f"{folder}/proxy.pem")
        self.config = ["--config", str(EXAMPLE / "relay.toml")]
        self.processes, self.heard, self.secrets = {}, {}, SECRETS
        self.proxy = {"nginx": self.nginx, "caddy": self.caddy}[proxy]

    def start(self):
        self.start_relay()
        self.start_stack()
        self.processes["proxy"] = self.proxy()
        listens(self.ports["proxy"])
        command = [PROGRAM, "stand-in", "--listen", self.at("transform"), "--relay", self.base, *self.config]
        self.processes["stand-in"] = Process("stand-in", *command, env=self.relay_env)
        self.transform = self.processes["stand-in"]
        self.transform.says("stand-in for Transform")

    def stop(self):
        for process in reversed(self.processes.values()):
            if process.child.poll() is None:
                process.end()

    def tell(self):
        """The last lines of all programs, after a failure."""
        for process in self.processes.values():
            print(f"--- {process.name}", *process.lines[-25:], sep="\n", file=sys.stderr)

    def at(self, name):
        return f"127.0.0.1:{self.ports[name]}"

    def target(self):
        return f"http://{self.at('transform')}/webhooks"

    def certificate(self):
        key, names = f"{self.folder}/proxy.key", "subjectAltName=DNS:localhost"
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        command += ["-keyout", key, "-out", f"{self.folder}/proxy.pem", "-subj", "/CN=localhost", "-addext", names]
        subprocess.run([*command, "-addext", "basicConstraints=critical,CA:FALSE"], check=True, capture_output=True)

    def start_relay(self):
        self.processes["relay"] = Process("relay", PROGRAM, "serve", *self.config, env=self.relay_env)
        self.processes["relay"].says("listening")

    def start_stack(self):
        where = [self.at("stack"), f"http://{self.at('relay')}", f"{self.folder}/stack.db"]
        self.processes["stack"] = Process("stack", sys.executable, str(EXAMPLE / "stack.py"), *where)
        self.processes["stack"].says("payment stack on")

    def replaced(self, name, *changes):
        """A file of the example with the ports and the certificate of this run."""
        text = (EXAMPLE / name).read_text()
        for old, new in [("127.0.0.1:8080", self.at("relay")), ("127.0.0.1:8081", self.at("stack")), *changes]:
            assert text.count(old) == 1, f"{name} has {old!r} {text.count(old)} times"
            text = text.replace(old, new)
        return text

    def nginx(self):
        pem = "/etc/letsencrypt/live/pay.example.com/"
        site = self.replaced(
            "nginx.conf",
            ("listen 443 ssl;", f"listen {self.at('proxy')} ssl;"),
            (f"{pem}fullchain.pem", f"{self.folder}/proxy.pem"),
            (f"{pem}privkey.pem", f"{self.folder}/proxy.key"),
        )
        paths = "".join(f"{of}_temp_path {self.folder}/{of};\n" for of in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        own = f"daemon off;\npid {self.folder}/nginx.pid;\nerror_log stderr;\nevents {{}}\n"
        own += "user root;\n" if os.geteuid() == 0 else ""
        pathlib.Path(f"{self.folder}/nginx.conf").write_text(f"{own}http {{\naccess_log off;\n{paths}{site}}}\n")
        path = {"PATH": os.environ["PATH"] + ":/usr/sbin"}
        return Process("nginx", "nginx", "-p", self.folder, "-e", "stderr", "-c", f"{self.folder}/nginx.conf", env=path)

    def caddy(self):
        site = self.replaced(
            "Caddyfile",
            ("pay.example.com {", f"{self.base} {{\n\tbind 127.0.0.1\n\ttls {self.folder}/proxy.pem {self.folder}/proxy.key"),
            ("auto_https disable_redirects", "auto_https disable_redirects\n\tadmin off"),
        )
        pathlib.Path(f"{self.folder}/Caddyfile").write_text(site)
        env = {"XDG_DATA_HOME": self.folder, "XDG_CONFIG_HOME": self.folder}
        return Process("caddy", "caddy", "run", "--config", f"{self.folder}/Caddyfile", "--adapter", "caddyfile", env=env)

    # --- what Transform, PSPs and the payment stack do ---

    def request(self, method, path, body=None, headers=None, source=None, to="proxy"):
        """A request, with its path as it stands here. Returns status, body and headers."""
        if to == "proxy":
            more = {"source_address": source, "context": self.trust}
            line = http.client.HTTPSConnection("localhost", self.ports[to], timeout=PATIENCE, **more)
        else:
            line = http.client.HTTPConnection("127.0.0.1", self.ports[to], timeout=PATIENCE)
        with contextlib.closing(line):
            line.request(method, path, body, headers or {})
            answer = line.getresponse()
            return answer.status, answer.read(), answer.headers

    def asks(self, path, **said):
        """Transform asks the payment stack, or reads. Returns status and body."""
        headers = {"Authorization": f"Bearer {SECRETS['TRANSFORM_TOKEN']}", "Content-Type": "application/json"}
        body = json.dumps({"webhookTarget": self.target(), "currency": "EUR", **said}) if said else None
        status, body, _ = self.request("POST" if said else "GET", path, body, headers)
        return status, json.loads(body)

    def starts(self, what, **said):
        """Transform asks for a transaction. Returns the answer, which is a success."""
        status, answer = self.asks(f"/api/{what}", **said)
        assert (status, answer["transactionId"]) == (200, said["transactionId"]), (status, answer)
        return answer

    def reads(self, kind, id):
        """Transform reads a record."""
        status, body = self.asks(f"/api/{kind}/{id}")
        assert status == 200, (status, body)
        return body

    def notifies(self, source, body, expected="applied"):
        """A PSP posts, signed. A number expects a status, a text an outcome."""
        text = body if isinstance(body, str) else json.dumps(body)
        command = [PROGRAM, "notify", source, "--body", "-", "--url", self.base, *self.config]
        env = os.environ | SECRETS | self.relay_env
        done = subprocess.run(command, input=text, env=env, capture_output=True, text=True, timeout=PATIENCE)
        wanted = f"HTTP {expected}\n" if isinstance(expected, int) else expected
        assert wanted in done.stdout, (expected, done)

    def hears(self, kind, id, change):
        """Waits until Transform has heard of a record, and has read this change of it."""
        known = self.heard.get((kind, id), 0)
        _, self.heard[kind, id] = self.transform.says(f"^{kind} {id}, answered 200: .*{change}", known)

    def registered(self, kind, id):
        """The record as the relay shows it to the payment stack."""
        return self.registers(kind, id, None)

    def registers(self, kind, id, body):
        """Registers a record as the payment stack does, or reads it. Returns it."""
        headers = {"Authorization": f"Bearer {SECRETS['STACK_TOKEN']}", "Content-Type": "application/json"}
        status, body, _ = self.request("PUT" if body else "GET", f"/records/{kind}/{id}", body, headers, to="relay")
        assert status in (200, 201), (status, body)
        return json.loads(body)
