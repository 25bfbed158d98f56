"""The flows of docs/INTEGRATION.md, each through nginx and through Caddy. .ci/stack calls it with the relay's program, and maybe
the names of proxies."""

import itertools, json, pathlib, re, signal, sqlite3, sys, tempfile, time
from datetime import datetime, timezone

from stack_world import World

NUMBERS = itertools.count(1)
CARD, DEBIT, REDIRECT = ({"pspSettingsId": f"settings-{name}"} for name in ("cards", "debit", "redirect"))


def new_id():
    return f"20261130-{next(NUMBERS):024x}"


def new_agreement():
    return f"{next(NUMBERS):024x}"


def now():
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


# --- what the PSPs say ---


def stripe(type, **object):
    return {"id": f"evt_{next(NUMBERS)}", "type": type, "created": int(time.time()), "data": {"object": object}}


def intent(id, minor, **more):
    return {"object": "payment_intent", "id": id, "currency": "eur", "amount": minor, **more}


def gocardless(type, action, id, cause="", reason_code=""):
    details = {"origin": "gocardless", "cause": cause, "reason_code": reason_code, "description": "of this run"}
    event = {"id": f"EV{next(NUMBERS)}", "created_at": now(), "resource_type": f"{type}s", "action": action}
    return {"events": [event | {"links": {type: id}, "details": details}], "meta": {"webhook_id": "WB1"}}


def adyen(code, psp_reference, reference, minor, original=None):
    item = {"eventCode": code, "success": "true", "eventDate": now(), "pspReference": psp_reference}
    item |= {"merchantReference": reference, "merchantAccountCode": "SHOP", "amount": {"currency": "EUR", "value": minor}}
    item |= {"originalReference": original} if original else {}
    return {"live": "false", "notificationItems": [{"NotificationRequestItem": item}]}


# --- the flows ---


def card(world):
    """preauthorization, capture, refund"""
    preauth, payment, refund = new_id(), new_id(), new_id()
    answer = world.starts("Preauth", **CARD, transactionId=preauth, requestedAmount=120.5)
    psp_id = answer["pspTransactionId"]
    reserved = intent(psp_id, 12050, amount_capturable=12050, amount_received=0, description="Grüße, \u2028 and odd spaces")
    event = stripe("payment_intent.amount_capturable_updated", **reserved)
    # Every byte is signed: a proxy that writes the body anew breaks the signature.
    world.notifies("stripe-main", json.dumps(event, indent="\t", ensure_ascii=False).replace("\n", "\r\n ") + "\n")
    world.hears("preauth", preauth, "status: Succeeded.*authorizedAmount: 120.5")
    capture = {**CARD, "transactionId": payment, "preauthTransactionId": preauth, "requestedAmount": 120.5}
    answer = world.starts("Payment", **capture)
    # Transform does not know whether its request came through. The same again is the same payment.
    assert answer == world.starts("Payment", **capture), answer
    assert (answer["status"], answer["pspTransactionId"]) == ("Pending", psp_id), answer
    world.notifies("stripe-main", stripe("payment_intent.succeeded", **intent(psp_id, 12050, amount_received=12050)))
    world.hears("payment", payment, "status: Succeeded.*payments.0..amount: 120.5")
    answer = world.starts("Refund", **CARD, transactionId=refund, paymentTransactionId=payment, requestedAmount=20.25)
    given = {"object": "refund", "id": answer["pspTransactionId"], "payment_intent": psp_id, "currency": "eur"}
    world.notifies("stripe-main", stripe("refund.updated", **given, amount=2025, status="succeeded"))
    world.hears("refund", refund, "status: Succeeded.*refundedAmount: 20.25")
    world.hears("payment", payment, "refundedAmount: none → 20.25, refundableAmount: 120.5 → 100.25")
    paid = world.reads("Payment", payment)
    assert (paid["status"], paid["refundedAmount"], paid["refundableAmount"]) == ("Succeeded", 20.25, 100.25), paid


def ends(world):
    """a decline, a cancellation, a refusal, and an answer of the PSP that is lost"""
    declined, cancelled = new_id(), new_id()
    status, error = world.asks("/api/Payment", **CARD, transactionId=declined, requestedAmount=13.13)
    assert (status, error["errorCode"], error["status"]) == (422, "InsufficientBalance", "Failed"), (status, error)
    assert (status, error) == world.asks(f"/api/Payment/{declined}"), "the stack's answer is the relay's"
    world.starts("Preauth", **CARD, transactionId=cancelled, requestedAmount=10)
    answer = world.asks(f"/api/Preauth/{cancelled}/Cancel", **CARD)
    assert answer == (200, {"transactionId": cancelled, "cancellationStatus": "Succeeded"}), answer
    assert world.reads("Preauth", cancelled)["status"] == "Cancelled"
    # What the relay refuses never comes to the PSP.
    refused = {"transactionId": new_id(), "requestedAmount": 7, "webhookTarget": "https://elsewhere.example/"}
    status, error = world.asks("/api/Payment", **CARD, **refused)
    assert (status, error["errorCode"], error["status"]) == (422, "InvalidData", "Initiated"), (status, error)
    assert "elsewhere.example" in error["errorMessage"], error
    # The PSP's answer is lost. The stack answers by itself, asks the PSP again, and Transform hears of what came of it.
    lost = new_id()
    answer = world.starts("Payment", **CARD, transactionId=lost, requestedAmount=5.03)
    assert answer["status"] == "Initiated", answer
    world.hears("payment", lost, "status: Pending")
    assert world.reads("Payment", lost)["lastUpdated"] > answer["lastUpdated"]


def debit(world):
    """direct debit with its mandate, and a chargeback"""
    agreement, preauth, payment = new_agreement(), new_id(), new_id()
    first = {**DEBIT, "transactionId": preauth, "agreementId": agreement, "isInitial": True, "requestedAmount": 0}
    assert world.starts("Preauth", **first)["status"] == "Succeeded"
    assert world.reads("Agreement", agreement)["status"] == "Pending"
    mandate = world.registered("agreement", agreement)["pspAgreementId"]
    world.notifies("gocardless", gocardless("mandate", "active", mandate))
    world.hears("agreement", agreement, "status: Active")
    due = {"plannedExecutionDate": "2026-12-04T00:00:00Z"}
    answer = world.starts("Payment", **DEBIT, transactionId=payment, agreementId=agreement, requestedAmount=39.9, **due)
    assert answer["status"] == "Pending" and answer["dueDate"].startswith("2026-12-04T00:00:00"), answer
    psp_id = answer["pspTransactionId"]
    world.notifies("gocardless", gocardless("payment", "confirmed", psp_id))
    world.hears("payment", payment, "status: Succeeded")
    world.notifies("gocardless", gocardless("payment", "charged_back", psp_id, "refund_requested", "MD06"))
    world.hears("payment", payment, "chargebacks.0..amount: (none → )?39.9")
    [back] = world.reads("Payment", payment)["chargebacks"]
    assert (back["reason"], back["pspReasonCode"], back["amount"]) == ("UserInitiated", "MD06", 39.9), back
    world.notifies("gocardless", gocardless("mandate", "cancelled", mandate, "mandate_cancelled"))
    world.hears("agreement", agreement, "status: Active → Inactive")


def redirect(world):
    """a preauthorization with a redirect, its capture and refund"""
    preauth, payment, refund = new_id(), new_id(), new_id()
    answer = world.starts("Preauth", **REDIRECT, transactionId=preauth, requestedAmount=50)
    assert preauth in answer["redirectUrl"] and "pspTransactionId" not in answer, answer
    # The payer has paid, and is back at Transform. The PSP's event and Finalize come in any order; here Finalize is first.
    finalization = {"transactionId": preauth, "finalizationData": {"redirectResult": "of this run"}}
    status, answer = world.asks("/api/Preauth/Finalize", **finalization)
    assert (status, answer["status"], answer["authorizedAmount"]) == (200, "Succeeded", 50), answer
    psp_id = answer["pspTransactionId"]
    world.notifies("adyen", adyen("AUTHORISATION", psp_id, preauth, 5000), "[accepted]")
    assert world.reads("Preauth", preauth)["status"] == "Succeeded"
    capture = {**REDIRECT, "transactionId": payment, "preauthTransactionId": preauth, "requestedAmount": 50}
    answer = world.starts("Payment", **capture)
    world.notifies("adyen", adyen("CAPTURE", answer["pspTransactionId"], payment, 5000, psp_id), "[accepted]")
    world.hears("payment", payment, "status: Succeeded")
    answer = world.starts("Refund", **REDIRECT, transactionId=refund, paymentTransactionId=payment, requestedAmount=50)
    world.notifies("adyen", adyen("REFUND", answer["pspTransactionId"], refund, 5000, psp_id), "[accepted]")
    world.hears("payment", payment, "refundedAmount: none → 50")
    # A payer who is not back yet: the PSP's event alone, found by the merchant's reference, says it all.
    lost = new_id()
    world.starts("Preauth", **REDIRECT, transactionId=lost, requestedAmount=50)
    world.notifies("adyen", adyen("AUTHORISATION", "PSPLOST1", lost, 5000), "[accepted]")
    world.hears("preauth", lost, "pspTransactionId: PSPLOST1.*status: Succeeded")


def recurring(world):
    """an agreement of a card, and a payment by it"""
    agreement, preauth, payment = new_agreement(), new_id(), new_id()
    first = {**CARD, "transactionId": preauth, "agreementId": agreement, "isInitial": True, "requestedAmount": 5}
    psp_id = world.starts("Preauth", **first)["pspTransactionId"]
    means = {"payment_method": world.registered("agreement", agreement)["pspAgreementId"], "setup_future_usage": "off_session"}
    reserved = intent(psp_id, 500, amount_capturable=500, amount_received=0, **means)
    world.notifies("stripe-main", stripe("payment_intent.amount_capturable_updated", **reserved))
    world.hears("agreement", agreement, "status: Active")
    answer = world.starts("Payment", **CARD, transactionId=payment, agreementId=agreement, requestedAmount=9.99)
    paid = intent(answer["pspTransactionId"], 999, amount_received=999)
    world.notifies("stripe-main", stripe("payment_intent.succeeded", **paid))
    world.hears("payment", payment, "status: Succeeded")
    gone = {"object": "payment_method", "id": means["payment_method"], "customer": None}
    world.notifies("stripe-main", stripe("payment_method.detached", **gone))
    world.hears("agreement", agreement, "status: Active → Inactive")


def early(world):
    """a notification before the registration"""
    payment = new_id()
    paid = intent(f"pi_early{next(NUMBERS)}", 700, amount_received=700, metadata={"transactionId": payment})
    world.notifies("stripe-main", stripe("payment_intent.succeeded", **paid), "parked")
    answer = world.starts("Payment", **CARD, transactionId=payment, requestedAmount=7)
    assert answer["status"] == "Succeeded", "the registration finds the event that waits"
    world.hears("payment", payment, "status: Succeeded")


def relay_down(world):
    """the relay is killed between two steps"""
    before, during = new_id(), new_id()
    psp_id = world.starts("Payment", **CARD, transactionId=before, requestedAmount=7)["pspTransactionId"]
    world.processes["relay"].end(signal.SIGKILL)
    # The PSP is sent away and comes again. Transform hears of no state. The stack answers by itself.
    news = stripe("payment_intent.succeeded", **intent(psp_id, 700, amount_received=700))
    world.notifies("stripe-main", news, 503)
    status, error = world.asks(f"/api/Payment/{before}")
    assert (status, error["status"], error["receivedAt"][:4]) == (503, "Initiated", "1970"), error
    answer = world.starts("Payment", **CARD, transactionId=during, requestedAmount=8)
    assert (answer["status"], answer["requestedAmount"]) == ("Pending", 8), answer
    world.start_relay()
    world.notifies("stripe-main", news)
    # Killed again, right after it has answered the PSP: what was acknowledged is told after the next start.
    world.processes["relay"].end(signal.SIGKILL)
    world.start_relay()
    world.hears("payment", before, "status: Succeeded")
    world.hears("payment", during, "status: Pending")
    assert world.reads("Payment", during)["lastUpdated"] > answer["lastUpdated"], "else Transform would keep its copy"


def stack_down(world):
    """the payment stack is killed between two steps"""
    payment, noted = new_id(), new_id()
    said = {**CARD, "transactionId": payment, "requestedAmount": 7}
    world.processes["stack"].end(signal.SIGKILL)
    status, error = world.asks("/api/Payment", **said)
    assert (status, error["status"]) == (503, "Initiated"), (status, error)
    # Another one had been registered and noted, and its PSP called, when the stack died. The PSP's event needs no stack.
    body = json.dumps({**said, "transactionId": noted, "currency": "EUR", "webhookTarget": world.target()})
    world.registers("payment", noted, body)
    with sqlite3.connect(f"{world.folder}/stack.db") as db:
        db.execute("INSERT INTO unfinished VALUES ('payment', ?, ?, NULL)", (noted, body))
    paid = intent("pi_of_the_dead", 700, amount_received=700, metadata={"transactionId": noted})
    world.notifies("stripe-main", stripe("payment_intent.succeeded", **paid))
    world.hears("payment", noted, "status: Succeeded")
    world.start_stack()
    # It finishes what was noted, and Transform is told. The stack's older word changes nothing.
    world.hears("payment", noted, "")
    assert world.reads("Payment", noted)["status"] == "Succeeded"
    world.starts("Payment", **said)


def gates(world):
    """what is not public, who comes in, and how much"""
    stack = {"Authorization": f"Bearer {world.secrets['STACK_TOKEN']}", "Content-Type": "application/json"}
    private = "/records/payment/tx-1 /records /sources /metrics /parked /findings /dead-letters/notifications /healthz /readyz"
    odd = "/ /notifications /notifications/../metrics /notifications/%2e%2e/metrics //metrics /api/../records /api/Payment"
    odd += " /notifications/x/../../metrics /metrics/../notifications/stripe-main /api/Payment/x/../../../metrics"
    for method in ("GET", "POST", "PUT"):
        for path in f"{private} {odd} /openapi.json /deliveries/tell /records/payment/tx-1/tell".split():
            if (method, path) == ("POST", "/api/Payment"):
                continue
            status, body, _ = world.request(method, path, "{}", stack)
            assert (status, b"detail" in body) == (404, False), (method, path, status, body)
    # Without credentials nobody reads or starts anything. The answers are the relay's own and the stack's own.
    for method, path in [("GET", "/api/Payment/tx-1"), ("POST", "/api/Payment"), ("GET", "/api/IntegrationInfo")]:
        status, body, _ = world.request(method, path, "{}")
        assert (status, json.loads(body)["errorCode"]) == (401, "InvalidConfiguration"), (method, path, status, body)
    status, error = world.asks("/api/payment/a%2Fb/")
    assert status == 404 and "payment/a/b" in error["errorMessage"], "the path goes on as it came"
    # The relay sees the client's own address, whatever the client says of it.
    forged = {"X-Forwarded-For": "203.0.113.9", "Content-Type": "application/json"}
    status, _, _ = world.request("POST", "/notifications/stripe-main", "{}", forged, source=("127.0.0.2", 0))
    assert status == 401, status
    world.processes["relay"].says('notification refused source="?stripe-main"? method="?POST"? address=127.0.0.2 status=401')
    # server.max_body is 1 MiB. The proxy leaves the refusal to the relay, whose log names the setting.
    event = json.dumps(stripe("nothing.known", padding=""))
    full = event.replace('"padding": "', '"padding": "' + "x" * (1024 * 1024 - len(event)))
    world.notifies("stripe-main", full, "ignored")
    world.notifies("stripe-main", full + " ", 413)
    world.notifies("stripe-main", full + " " * 900_000, 413)
    world.processes["relay"].says('notification refused source="?stripe-main"? .*status=413 .*server.max_body')


def page(world):
    """the requests that the page shows"""
    text = pathlib.Path("docs/INTEGRATION.md").read_text()
    shown = re.findall(r"```http\nPUT /records/(\w+)/(\S+)\n(?:.+\n)*\n((?:.+\n)+?)```", text)
    ids = {}
    for kind, id, body in shown:
        ids[kind] = id
        world.registers(kind, id, json.dumps(json.loads(body) | {"webhookTarget": world.target()}))
    [(status, answer)] = re.findall(r"```http\nHTTP/1.1 200 OK\nTransform-Status: (\d+)\n.+\n\n((?:.+\n)+?)```", text)
    read = world.asks(f"/api/Payment/{ids['payment']}")
    assert read == (int(status), json.loads(answer) | {"lastUpdated": read[1]["lastUpdated"]}), read
    ids["preauth"] = new_id()
    world.starts("Preauth", **CARD, transactionId=ids["preauth"], requestedAmount=10)
    amendments = [one.replace("<now>", now()) for one in re.findall(r'`(\{[^`]*"<now>"[^`]*\})`', text)]
    assert len(amendments) == len(shown) == 2, (amendments, shown)
    for kind, amendment in zip(("preauth", "agreement"), amendments):
        status = world.registers(kind, ids[kind], amendment)["status"]
        assert status == json.loads(amendment)["status"], (kind, amendment, status)
    world.hears("agreement", ids["agreement"], "status: Inactive")


FLOWS = [card, ends, debit, redirect, recurring, early, relay_down, stack_down, gates, page]


def main():
    for proxy in sys.argv[2:] or ["nginx", "caddy"]:
        with tempfile.TemporaryDirectory() as folder:
            world = World(proxy, folder)
            try:
                world.start()
                for flow in FLOWS:
                    began = time.monotonic()
                    flow(world)
                    print(f"{proxy}: {flow.__doc__}: {time.monotonic() - began:.1f} s", flush=True)
            except BaseException:
                world.tell()
                raise
            finally:
                world.stop()


if __name__ == "__main__":
    main()
