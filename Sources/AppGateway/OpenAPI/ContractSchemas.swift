import ClientWire
import MessagingCore
import MessagingService

/// The schemas of the contract's documents, by name.
enum ContractSchemas {
    /// Names raw bytes, which have no schema.
    static let bytes = "Bytes"

    static let all: [String: Schema] =
        values
        .merging(accounts) { first, _ in first }
        .merging(messages) { first, _ in first }
        .merging(rules) { first, _ in first }
        .merging(files) { first, _ in first }
        .merging(operations) { first, _ in first }
        .merging(frames) { first, _ in first }
        .merging(sessions) { first, _ in first }

    /// The schemas named, and those that they refer to.
    static func closure(of names: Set<String>) -> [String: Schema] {
        var found: [String: Schema] = [:]
        var waiting = Array(names)
        while let name = waiting.popLast() {
            guard found[name] == nil, name != bytes else { continue }
            guard let schema = all[name] else { preconditionFailure("no schema of the name \(name)") }
            found[name] = schema
            waiting += references(in: schema)
        }
        return found
    }

    private static func references(in value: Schema) -> [String] {
        switch value {
        case .object(let fields):
            fields.flatMap { key, value -> [String] in
                if key == "$ref", case .text(let target) = value {
                    return [String(target.split(separator: "/").last ?? "")]
                }
                return references(in: value)
            }
        case .list(let items): items.flatMap(references)
        default: []
        }
    }

    private static let values: [String: Schema] = [
        "Text": ["type": "string"],
        "Number": ["type": "integer"],
        "Flag": ["type": "boolean"],
        "Any": [:],
        "Document": ["type": "object"],
        "Timestamp": .string("A time as in RFC 3339, with milliseconds, in UTC.", format: "date-time"),
        "Address": .string("A CPM address in canonical form.", pattern: "^(sip:[^@]+@.+|tel:\\+[0-9]+)$"),
        "GivenAddress": .string("An address: user@domain, sip:user@domain or tel:+number."),
        "MessageID": .string("Letters, digits and . - _ + = % @; for a new message a UUID of version 7."),
        "ConversationID": .string("The identity of a conversation."),
        "ChangeNumber": .number("A number of one mailbox; it grows with every change.", from: 0),
        "Bytes64": .number("A size in bytes.", from: 0),
        "SHA256": .string("64 hexadecimal digits.", pattern: "^[0-9a-f]{64}$"),
        "DeviceKind": .oneOf(DeviceKind.allCases.map(\.rawValue), "What sort of thing a device is."),
        "MessageKind": .oneOf(MessageKind.allCases.map(\.rawValue), "How a message is meant to arrive."),
        "Deliver": .oneOf(Deliver.allCases.map(\.description), "How much a device gets."),
        "Report": .oneOf(Report.allCases.map(\.rawValue), "A report that a sender can ask for."),
        "Disposition": .oneOf(Disposition.allCases.map(\.name), "How far a message has come with a receiver."),
        "AvailabilityState": .oneOf(Availability.State.allCases.map(\.rawValue), "What a person chose."),
        "TellDevices": .oneOf(TellDevices.allCases.map(\.rawValue), "What others may see of one's devices."),
        "LedgerReason": .oneOf(LedgerLine.Reason.allCases.map(\.rawValue), "What a movement of credit was for."),
        "DeleteScope": .oneOf(DeleteRequest.Scope.allCases.map(\.rawValue), "Where a deletion holds."),
        "Box": .oneOf(["inbox", "sent"], "One of the two views of messages."),
        "ItemKind": .oneOf(ItemKind.allCases.map(\.name), "What an item is."),
        "Problem": .record(
            "A problem (RFC 9457); `code` is stable and open: programs must take unknown ones.",
            ["type": "Text", "title": "Text", "status": "Number", "code": "Text", "detail": "Text"]
        ),
    ]

    private static let accounts: [String: Schema] = [
        "Time": .record("The server's clock.", ["now": "Timestamp"]),
        "LoginRequest": .record(
            "Credentials, and the device to register.",
            ["address": "GivenAddress", "password": "Text", "device": "DeviceDescription"]
        ),
        "LoginAnswer": .record(
            "The device's token, shown once.",
            [
                "token": "Text", "account": "Number", "device": "Number", "addresses": "[Address]",
                "now": "Timestamp",
            ]
        ),
        "PhoneRequest": .record(
            "A SIP phone as its owner calls it.",
            ["label": "Text"],
            optional: ["kind": "DeviceKind", "cpim": "Flag"]
        ),
        "PhoneAnswer": .record(
            "What to enter into the phone.",
            [
                "device": "DeviceDocument", "address": "Address", "user": "Text", "password": "Text", "realm": "Text",
                "servers": "[Text]",
            ]
        ),
        "DeviceDescription": .record(
            "A device as it introduces itself.",
            ["kind": "DeviceKind", "label": "Text"],
            optional: ["capabilities": "Capabilities"]
        ),
        "Capabilities": .record(
            "What a device can take.",
            ["accepts": "[Text]", "features": "[Text]"],
            optional: ["maximumMessageBytes": "Bytes64"]
        ),
        "Availability": .record(
            "Whether somebody wants to be disturbed.",
            ["state": "AvailabilityState"],
            optional: ["until": "Timestamp"]
        ),
        "DeviceDocument": .record(
            "A device.",
            [
                "id": "Number", "kind": "DeviceKind", "label": "Text", "capabilities": "Capabilities",
                "availability": "Availability", "synchronises": "Flag", "registered": "Timestamp",
            ]
        ),
        "DeviceStatus": .record(
            "A device with what changes all the time.",
            [
                "device": "DeviceDocument", "isRegistered": "Flag", "isConnected": "Flag", "lastSeen": "Timestamp",
                "isThis": "Flag",
            ]
        ),
        "DeviceList": .record("All devices of the account.", ["devices": "[DeviceStatus]"]),
        "DeviceChange": .record(
            "What is absent stays.",
            [:],
            optional: [
                "label": "Text", "kind": "DeviceKind", "capabilities": "Capabilities",
                "availability": "Availability", "synchronises": "Flag",
            ]
        ),
        "AccountDocument": .record(
            "An account.",
            [
                "id": "Number", "name": "Text", "addresses": "[Address]", "balance": "Number",
                "usedBytes": "Number", "quotaBytes": "Number", "maximumMessageBytes": "Number", "canSend": "Flag",
                "suspended": "Flag", "storesReceived": "Flag", "storesSent": "Flag",
            ]
        ),
        "PasswordChange": .record("The old password proves the person.", ["old": "Text", "new": "Text"]),
        "LedgerDocument": .record(
            "One line of the ledger.",
            [
                "number": "Number", "time": "Timestamp", "reason": "LedgerReason", "amount": "Number",
                "balance": "Number",
            ],
            optional: ["message": "MessageID", "receiver": "Address", "note": "Text"]
        ),
        "LedgerPage": .record("Newest first.", ["lines": "[LedgerDocument]"], optional: ["next": "Number"]),
        "AccountSettings": .record(
            "The user's switches.",
            [
                "tellDelivered": "Flag", "tellDisplayed": "Flag", "refuseBlocked": "Flag",
                "muted": "[ConversationID]",
            ],
            optional: ["tellDevices": "TellDevices"]
        ),
        "Contact": .record(
            "A person in the contact list.",
            ["id": "MessageID", "name": "Text", "addresses": "[GivenAddress]", "lists": "[Text]"],
            optional: ["note": "Text"]
        ),
        "ContactPage": .record("Newest first.", ["contacts": "[Contact]"], optional: ["next": "ChangeNumber"]),
        "BlockedDocument": .record("Blocked senders.", ["addresses": "[GivenAddress]"]),
    ]
}
