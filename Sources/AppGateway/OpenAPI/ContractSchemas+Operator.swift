extension ContractSchemas {
    static let operations: [String: Schema] = [
        "Entitlement": .record(
            "What an operator lets an account do.",
            [
                "canSend": "Flag", "maximumMessageBytes": "Number", "quotaBytes": "Number",
                "storesReceived": "Flag", "storesSent": "Flag",
            ]
        ),
        "AccountRequest": .record(
            "A new account.",
            ["name": "Text", "addresses": "[GivenAddress]", "password": "Text"],
            optional: ["balance": "Number", "entitlement": "Entitlement"]
        ),
        "AccountChange": .record(
            "What is absent stays.",
            [:],
            optional: [
                "name": "Text", "addresses": "[GivenAddress]", "suspended": "Flag", "entitlement": "Entitlement",
                "password": "Text",
            ]
        ),
        "AccountPage": .record("In order of number.", ["accounts": "[AccountDocument]"], optional: ["next": "Number"]),
        "CreditRequest": .record("Negative takes credit away.", ["amount": "Number"], optional: ["note": "Text"]),
        "OperatorPolicy": .record(
            "What stands above every user's rules.",
            ["prohibitedDomains": "[Text]", "notificationOnlyMedia": "[Text]", "sentCopies": "Flag"],
            optional: ["wholeUpToBytes": "Bytes64"]
        ),
        "Tariff": .record(
            "Prices in the operator's integer units.",
            ["perReceiver": "Number", "perBlock": "Number", "perMedium": "Number", "perRequest": "Number"]
        ),
        "OperatorSettings": .record(
            "The operator's settings.",
            [
                "policy": "OperatorPolicy", "tariff": "Tariff", "retentionAlsoOnDevices": "Flag",
                "entitlement": "Entitlement", "initialBalance": "Number",
            ],
            optional: ["retentionDays": "Number"]
        ),
        "TraceShare": .record("One device's share.", ["decision": "Explanation", "acknowledged": "Flag"]),
        "TraceMailbox": .record(
            "One mailbox that has, or had, the message.",
            [
                "account": "Number", "name": "Text", "created": "ChangeNumber", "changed": "ChangeNumber",
                "flags": "[Text]", "receivers": "[ReceiverDocument]", "devices": "[TraceShare]",
            ]
        ),
        "TraceDocument": .record(
            "What happened to a message.",
            ["message": "MessageID", "mailboxes": "[TraceMailbox]", "ledger": "[LedgerDocument]"]
        ),
        "StatusDocument": .record(
            "Live figures.",
            [
                "version": "Text", "started": "Timestamp", "connections": "Number", "messages": "Number",
                "commits": "Number", "outbox": "Number", "latency": "[LatencyBucket]",
            ]
        ),
        "LatencyBucket": .record(
            "Commands that took up to a time from asking to commit; the last bucket has no bound.",
            ["count": "Number"],
            optional: ["microseconds": "Number"]
        ),
        "OutboxLane": .record(
            "Work that is done in order.",
            ["lane": "Text", "waiting": "Number", "attempts": "Number", "due": "Timestamp"]
        ),
        "OutboxDocument": .record("What waits for other domains.", ["lanes": "[OutboxLane]"]),
        "LoggedError": .record(
            "One line of the log.",
            ["time": "Timestamp", "level": "Text", "message": "Text", "details": "Document"]
        ),
        "ErrorPage": .record("What the server warned of lately, newest first.", ["errors": "[LoggedError]"]),
        "BackupRequest": .record("Where the backup goes.", ["path": "Text"]),
        "Health": .record("The state of the process.", ["status": "Text"]),
    ]

    /// What goes over a socket; named in the document for those who write clients.
    static let frames: [String: Schema] = [
        "Cursor": .record(
            "How far a device has followed its mailbox.",
            ["epoch": "Text", "number": "ChangeNumber", "level": "ChangeNumber"]
        ),
        "Hello": .record("Opens the stream.", ["token": "Text"], optional: ["cursor": "Cursor"]),
        "ClientFrame": .record(
            "One thing a text frame: `hello` first, then acknowledgements, and commands with their `ref`.",
            [:],
            optional: [
                "hello": "Hello", "ack": "ChangeNumber", "level": "ChangeNumber", "ref": "Number",
                "send": "SendRequest", "read": "ReadRequest", "delete": "DeleteRequest", "fetch": "MessageID",
                "typing": "TypingHint", "signal": "MediaSignal",
            ]
        ),
        "Welcome": .record(
            "The stream is open.",
            [
                "account": "Number", "device": "Number", "epoch": "Text", "head": "ChangeNumber",
                "now": "Timestamp", "windowItems": "Number", "windowBytes": "Number", "leaseMilliseconds": "Number",
            ]
        ),
        "Digest": .record(
            "What died or was read among the items that the device knows.",
            [
                "asOf": "ChangeNumber", "unread": "Number", "gone": "[ChangeNumber]", "read": "[ChangeNumber]",
                "last": "Flag",
            ]
        ),
        "Reset": .record(
            "A listing from scratch, newest first; with the last page the device drops what was not listed.",
            [
                "reason": "Text", "epoch": "Text", "asOf": "ChangeNumber", "unread": "Number",
                "items": "[ItemDocument]", "last": "Flag",
            ]
        ),
        "ServerFrame": .record(
            "One thing a text frame.",
            [:],
            optional: [
                "welcome": "Welcome", "digest": "Digest", "reset": "Reset", "changes": "[ItemDocument]",
                "upTo": "ChangeNumber", "level": "ChangeNumber", "ref": "Number", "sent": "SendAnswer",
                "done": "CountAnswer", "item": "ItemDocument", "problem": "Problem", "typing": "TypingHint",
                "signal": "MediaSignal",
            ]
        ),
    ]
}
