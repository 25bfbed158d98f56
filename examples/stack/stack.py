"""A payment stack: what Transform asks for goes to the PSP, and each record is registered at the relay.

The PSPs are made up here: calls_psp() is the part that yours does by its PSPs' APIs. Everything else is what any stack needs
beside the relay. The order is: register, note what is unfinished, call the PSP, register its answer, answer Transform.

    TRANSFORM_TOKEN=… STACK_TOKEN=… python3 stack.py [address:port] [URL of the relay] [file for what is unfinished]
"""

import hashlib, hmac, http.client, http.server, json, os, re, sqlite3, sys, threading, time
import urllib.error, urllib.parse, urllib.request
from datetime import datetime, timezone

LISTEN, RELAY, FILE = (sys.argv[1:] + ["127.0.0.1:8081", "http://127.0.0.1:8080", "stack.db"][len(sys.argv) - 1 :])[:3]
TRANSFORM, TOKEN = os.environ["TRANSFORM_TOKEN"], os.environ["STACK_TOKEN"]
# Transform's names for the merchant's accounts. The relay knows the same ones: psp_settings_ids in relay.toml.
PSPS = {"settings-cards": "stripe", "settings-debit": "gocardless", "settings-redirect": "adyen"}
LOST = set()  # payments of 5.03 whose first answer was lost
CONTRACT = "application/vnd.frisbii.transform+json"


def now():
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


def psp_id(prefix, *of):
    """The ids of the made-up PSPs depend on the request alone, as a PSP answers a repeated idempotency key."""
    return prefix + hashlib.sha256("/".join(of).encode()).hexdigest()[:14].upper()


def calls_psp(kind, id, said):
    """Calls the PSP with `id` as the idempotency key and as the merchant's reference. Returns what the relay is to know of
    the answer: of the transaction, and of the agreement that it makes. A real call may wait for seconds, and must be safe to
    repeat."""
    psp, amount, preauth = PSPS[said["pspSettingsId"]], said["requestedAmount"], said.get("preauthTransactionId")
    if amount == "13.13":  # a decline of the API itself: no event will tell of it
        return {"error": {"errorCode": "InsufficientBalance", "errorMessage": "declined", "pspErrorCode": "51"}}, {}
    if amount == "5.03" and id not in LOST:  # the first answer is lost: nobody knows whether the money moves
        LOST.add(id)
        raise TimeoutError("the PSP does not answer")
    means = psp_id("MD" if psp == "gocardless" else "pm_", said.get("agreementId") or id)
    agreed = {"pspAgreementId": means, "status": "Pending"}
    if kind == "refund":
        return {"pspTransactionId": psp_id("RF" if psp == "gocardless" else "re_", id), "status": "Pending"}, {}
    if psp == "stripe":  # a capture goes on with the payment intent of its preauthorization
        return {"pspTransactionId": psp_id("pi_", preauth or id), "status": "Pending"}, agreed
    if psp == "gocardless":
        if kind == "preauth":  # no money is reserved: it only sets up the mandate, and no event will tell of it
            return {"status": "Succeeded", "statusAt": now()}, agreed
        due = said.get("plannedExecutionDate")
        return {"pspTransactionId": psp_id("PM", id), "status": "Pending", "dueDate": due}, agreed
    if preauth:
        return {"pspTransactionId": psp_id("CAPTURE", id), "status": "Pending"}, {}
    # The payer has to go to the PSP's page. The PSP has no id yet: its event finds the record by the reference.
    return {"redirectUrl": f"https://psp.example/pay/{id}", "status": "Pending"}, {}


class Refused(Exception):
    """The relay does not take a registration. Repeating it does not help: the text says what is wrong."""


def register(kind, id, body):
    """Registers a record. Returns the status and the body that Transform would read. OSError: the relay is away."""
    url = f"{RELAY}/records/{kind}/{urllib.parse.quote(id, safe='')}"
    request = urllib.request.Request(url, json.dumps(body).encode(), method="PUT")
    for name, value in [("Authorization", f"Bearer {TOKEN}"), ("Content-Type", "application/json"), ("Accept", CONTRACT)]:
        request.add_header(name, value)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return int(answer.headers["Transform-Status"]), answer.read()
    except urllib.error.HTTPError as error:
        if error.code in (408, 429) or error.code >= 500:
            raise  # later it will be taken
        raise Refused(f"{error.code}: {json.load(error).get('detail')}") from error
    except http.client.HTTPException as error:  # it went away in the middle of its answer
        raise ConnectionError(repr(error)) from error


# What is unfinished outlives a crash of the stack and an outage of the relay. Your stack has a database for this.
def unfinished(statement, *values):
    with sqlite3.connect(FILE) as db:
        db.execute("CREATE TABLE IF NOT EXISTS unfinished (kind, id, body, answered, PRIMARY KEY (kind, id))")
        return db.execute(statement, values).fetchall()


def registered(kind, id, said, known, agreed, answered=None):
    """Registers what is known of a transaction, and before it the agreement that it makes. The relay takes repetitions."""
    if said.get("isInitial") and said.get("agreementId"):
        own = {name: said.get(name) for name in ("pspSettingsId", "currency", "webhookTarget", "agreementId")}
        register("agreement", said["agreementId"], own | agreed)
    # With an answer of its own the stack says when, and lets Transform be told: it comes back, and reads the relay's record.
    late = {"answeredAt": answered, "tell": True} if answered else {}
    return register(kind, id, said | known | late)


def start(kind, body):
    """POST /api/Preauth, /api/Payment, /api/Refund. Transform may repeat it: nothing is started twice."""
    said = json.loads(body, parse_float=str)  # amounts stay decimal text, and never become binary fractions
    id, amount, currency = said["transactionId"], said["requestedAmount"], said["currency"]
    if said.get("pspSettingsId") not in PSPS:
        return trouble(422, "InvalidData", f"pspSettingsId is none of {', '.join(PSPS)}")
    try:
        # First: no money moves for what the relay refuses, and an event of the PSP finds its record.
        registered(kind, id, said, {}, {})
    except OSError as error:
        print(f"{kind} {id}: the relay is away: {error}; the PSP is called all the same", flush=True)
    unfinished("INSERT OR IGNORE INTO unfinished VALUES (?, ?, ?, NULL)", kind, id, body)
    known = {"status": "Initiated"}  # until the PSP has answered
    try:
        known, agreed = calls_psp(kind, id, said)
        answer = registered(kind, id, said, known, agreed)
        unfinished("DELETE FROM unfinished WHERE kind = ? AND id = ?", kind, id)
        return answer
    except (OSError, Refused) as error:
        print(f"{kind} {id} is unfinished: {error}; it is tried again", flush=True)
    # The PSP or the relay is away, and money may be under way: the stack answers by itself, and the relay will hear of that.
    answered = now()
    unfinished("REPLACE INTO unfinished VALUES (?, ?, ?, ?)", kind, id, body, answered)
    if error := known.get("error"):
        return 422, json.dumps(error | {"status": "Failed", "receivedAt": answered}).encode()
    own = {"transactionId": id, "externalTransactionId": f"{kind}-{id}", "currency": currency, "lastUpdated": answered}
    own |= {name: known[name] for name in ("pspTransactionId", "status", "redirectUrl") if name in known}
    return 200, f'{json.dumps(own)[:-1]}, "requestedAmount": {amount}}}'.encode()


def retry():
    """Finishes what an outage left behind, and at the start what a crash left behind."""
    unfinished("UPDATE unfinished SET answered = ? WHERE answered IS NULL", now())
    wait = 1
    while True:
        failed = False
        for kind, id, body, answered in unfinished("SELECT * FROM unfinished WHERE answered IS NOT NULL"):
            said = json.loads(body, parse_float=str)
            try:
                registered(kind, id, said, *calls_psp(kind, id, said), answered)
                unfinished("DELETE FROM unfinished WHERE kind = ? AND id = ?", kind, id)
            except (OSError, Refused) as error:  # what is refused needs a person: it stays in the table and in the log
                print(f"{kind} {id} is still unfinished: {error}", flush=True)
                failed = True
        wait = min(2 * wait, 60) if failed else 1
        time.sleep(wait)


def cancel(id, _):
    """POST /api/Preauth/{id}/Cancel. The PSP's event may come as well, and says the same."""
    register("preauth", id, {"status": "Cancelled", "statusAt": now()})
    return 200, json.dumps({"transactionId": id, "cancellationStatus": "Succeeded"}).encode()


def finalize(body):
    """POST /api/Preauth/Finalize: the payer is back. The PSP says how it went, and now has an id."""
    id = json.loads(body)["transactionId"]
    return register("preauth", id, {"pspTransactionId": psp_id("PSP", id), "status": "Succeeded", "statusAt": now()})


def trouble(status, code, message):
    """The contract's error object for what is no failure of a transaction: its time is older than all that Transform has."""
    error = {"errorCode": code, "errorMessage": message, "status": "Initiated", "receivedAt": "1970-01-01T00:00:00.0000000Z"}
    return status, json.dumps(error).encode()


ROUTES = [
    (r"POST /api/Preauth/Finalize", finalize),
    (r"POST /api/Preauth/([^/]+)/Cancel", cancel),
    (r"POST /api/(Preauth|Payment|Refund)", lambda kind, body: start(kind.lower(), body)),
    (r"GET /api/IntegrationInfo", lambda _: (200, b'{"supportsRefunds": true}')),
]


class Stack(http.server.BaseHTTPRequestHandler):
    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, answer = trouble(404, "InvalidPreconditions", "no such route")
        if not hmac.compare_digest(self.headers.get("Authorization", ""), f"Bearer {TRANSFORM}"):
            # Never LoginError or PermissionDenied: Transform would disable the PSP.
            status, answer = trouble(401, "InvalidConfiguration", "wrong credentials")
        else:
            for route, does in ROUTES:
                if found := re.fullmatch(route, f"{self.command} {self.path}", re.IGNORECASE):
                    try:
                        status, answer = does(*found.groups(), body)
                    except Refused as error:
                        status, answer = trouble(422, "InvalidData", f"the relay refuses it with {error}")
                    except (KeyError, TypeError, ValueError) as error:
                        status, answer = trouble(400, "InvalidData", f"the body cannot be read: {error!r}")
                    except OSError as error:
                        status, answer = trouble(503, "InternalError", f"the relay is away: {error}")
                    break
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_PUT = answer


if __name__ == "__main__":
    host, port = LISTEN.rsplit(":", 1)
    server = http.server.ThreadingHTTPServer((host, int(port)), Stack)
    threading.Thread(target=retry, daemon=True).start()
    print(f"payment stack on {LISTEN}, relay at {RELAY}", flush=True)
    server.serve_forever()
