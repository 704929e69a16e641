extension ContractSchemas {
    static let messages: [String: Schema] = [
        "Forward": .record("A part of a message that the sender holds.", ["message": "MessageID", "part": "Number"]),
        "PartRequest": .record(
            "Exactly one of `text`, `upload`, `forward` or `file`.",
            [:],
            optional: [
                "type": "Text", "name": "Text", "text": "Text", "upload": "Text", "forward": "Forward",
                "file": "Text",
            ]
        ),
        "SendRequest": .record(
            "A message to be sent; with `session` a text of a live conversation, which goes to all who take part.",
            ["id": "MessageID"],
            optional: [
                "to": "[GivenAddress]", "session": "SessionID",
                "parts": "[PartRequest]", "from": "GivenAddress", "subject": "Text", "reports": "[Report]",
                "kind": "MessageKind", "conversation": "ConversationID", "inReplyTo": "MessageID",
                "expires": "Timestamp",
            ]
        ),
        "ReceiverDocument": .record(
            "What became of one receiver.",
            ["address": "Address", "state": "Disposition", "since": "Timestamp"],
            optional: ["reason": "Text"]
        ),
        "SendAnswer": .record(
            "A message that was accepted.",
            [
                "id": "MessageID", "created": "ChangeNumber", "conversation": "ConversationID",
                "receivers": "[ReceiverDocument]", "balance": "Number", "repeated": "Flag",
            ],
            optional: ["ordinal": "Ordinal"]
        ),
        "ReadRequest": .record(
            "Either `ids`, or a conversation up to the number that was shown.",
            [:],
            optional: ["ids": "[MessageID]", "conversation": "ConversationID", "upTo": "ChangeNumber"]
        ),
        "DeleteRequest": .record("Messages to be deleted.", ["ids": "[MessageID]", "scope": "DeleteScope"]),
        "CountAnswer": .record("How many items were changed.", ["changed": "Number"]),
        "Part": .record(
            "One part of a message: `text` inside it, or a blob beside it.",
            ["type": "Text", "bytes": "Bytes64"],
            optional: ["name": "Text", "text": "Text", "sha256": "SHA256"]
        ),
        "Envelope": .record(
            "What a message says and to whom.",
            [
                "id": "MessageID", "from": "Address", "to": "[Address]", "date": "Timestamp",
                "kind": "MessageKind", "conversation": "ConversationID", "parts": "[Part]",
            ],
            optional: [
                "subject": "Text", "inReplyTo": "MessageID", "expires": "Timestamp", "session": "SessionPlace",
            ]
        ),
        "Notice": .record(
            "Who, what about, and a signed link to the rest.",
            ["from": "Address", "date": "Timestamp", "bytes": "Bytes64", "types": "[Text]", "link": "Text"],
            optional: ["subject": "Text"]
        ),
        "ItemDocument": .record(
            "An item as a device gets it.",
            ["changed": "ChangeNumber", "created": "ChangeNumber", "kind": "ItemKind", "id": "Text"],
            optional: [
                "gone": "Flag", "deliver": "Deliver", "silent": "Flag", "boxes": "[Box]", "read": "Flag",
                "released": "Flag", "conversation": "ConversationID", "addressed": "[Address]",
                "receivers": "[ReceiverDocument]", "message": "Envelope", "notice": "Notice", "value": "Any",
            ]
        ),
        "ItemPage": .record("Newest first.", ["items": "[ItemDocument]"], optional: ["next": "ChangeNumber"]),
        "ConversationEntry": .record(
            "One conversation.",
            ["conversation": "ConversationID", "messages": "Number", "unread": "Number"],
            optional: ["newest": "ItemDocument"]
        ),
        "ConversationPage": .record(
            "By their newest message.",
            ["conversations": "[ConversationEntry]"],
            optional: ["next": "ChangeNumber"]
        ),
        "Explanation": .record(
            "One device's share of a message.",
            [
                "device": "Number", "label": "Text", "kind": "DeviceKind", "deliver": "Deliver", "silent": "Flag",
                "because": "Text",
            ]
        ),
        "ExplanationDocument": .record("All devices of the account.", ["devices": "[Explanation]"]),
    ]

    static let rules: [String: Schema] = [
        "Hours": .record(
            "Minutes since midnight in the user's own time; days from 1 (Monday).",
            ["from": "Number", "until": "Number"],
            optional: ["days": "[Number]", "utcOffset": "Number"]
        ),
        "Conditions": .record(
            "Those that are given must all hold; within one any value suffices.",
            [:],
            optional: [
                "to": "[GivenAddress]", "from": "[GivenAddress]", "fromDomains": "[Text]", "fromLists": "[Text]",
                "devices": "[Number]", "deviceKinds": "[DeviceKind]", "messageKinds": "[MessageKind]",
                "media": "[Text]", "atLeastBytes": "Bytes64", "belowBytes": "Bytes64", "hours": "Hours",
                "availability": "[AvailabilityState]", "deviceAvailability": "[AvailabilityState]",
            ]
        ),
        "Outcome": .record("What a rule asks for.", ["deliver": "Deliver"], optional: ["silent": "Flag"]),
        "Rule": .record(
            "When all of this holds, unless that does, then so much.",
            ["name": "Text", "when": "Conditions", "then": "Outcome"],
            optional: ["unless": "Conditions"]
        ),
        "RuleList": .record(
            "The first match wins, else the default.",
            [:],
            optional: ["rules": "[Rule]", "otherwise": "Outcome"]
        ),
        "RuleBook": .record(
            "All of a user's rules.",
            [:],
            optional: [
                "revision": "Number", "incoming": "RuleList", "sentCopies": "RuleList", "reports": "RuleList",
                "requests": "RuleList", "media": "RuleList",
            ]
        ),
        "DryRunRequest": .record(
            "A message that might come.",
            ["from": "GivenAddress"],
            optional: [
                "to": "[GivenAddress]", "kind": "MessageKind", "mediaTypes": "[Text]", "bytes": "Bytes64",
                "rules": "RuleBook", "at": "Timestamp",
            ]
        ),
    ]

    static let files: [String: Schema] = [
        "UploadRequest": .record(
            "What is going to come.",
            ["type": "Text", "bytes": "Bytes64"],
            optional: ["name": "Text"]
        ),
        "UploadDocument": .record(
            "How far an upload has come.",
            ["id": "Text", "bytes": "Bytes64", "offset": "Bytes64", "complete": "Flag", "leaseEnds": "Timestamp"],
            optional: ["sha256": "SHA256"]
        ),
        "FileRequest": .record("Names a complete upload.", ["upload": "Text"], optional: ["name": "Text"]),
        "FileDocument": .record(
            "A file of the personal area.",
            [
                "id": "Text", "name": "Text", "type": "Text", "bytes": "Bytes64", "sha256": "SHA256",
                "stored": "Timestamp",
            ]
        ),
        "FilePage": .record("Newest first.", ["files": "[FileDocument]"], optional: ["next": "ChangeNumber"]),
    ]
}
