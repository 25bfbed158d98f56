"""Leads made-up requests further than chance would: every second one that is right by the document names a record or a dead
letter that is there, asks for the contract's body, or is signed as Stripe signs."""

import hashlib
import hmac
import itertools
import json
import os
import time

import requests
import schemathesis

RECORDS = itertools.cycle(os.environ["RECORDS"].split())
DEAD_LETTERS = itertools.cycle(os.environ["DEAD_LETTERS"].split())
HALF = itertools.cycle([True, False, False, True])


@schemathesis.serializer("application/x-ndjson")
def lines(context, value):
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode("utf-8", "replace")


class Signed(requests.auth.AuthBase):
    def __call__(self, request):
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body
        now = str(int(time.time()))
        signature = hmac.new(os.environ["SECRET"].encode(), now.encode() + b"." + body, hashlib.sha256)
        request.headers["Stripe-Signature"] = f"t={now},v1={signature.hexdigest()}"
        return request


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is not None and case.meta.generation.mode.is_negative:
        return
    path = case.operation.path
    if path.startswith(("/records/", "/api/")):
        if next(HALF) and case.method != "DELETE":
            case.path_parameters["id"] = next(RECORDS)
        if next(HALF):
            case.headers["Accept"] = "application/vnd.frisbii.transform+json"
    elif path.endswith("/replay") and next(HALF):
        case.path_parameters["id"] = next(DEAD_LETTERS)
    elif path.startswith("/notifications/") and case.method == "POST" and next(HALF):
        kwargs["auth"] = Signed()
