import ClientWire
import SessionCore

extension ContractSchemas {
    static let sessions: [String: Schema] = [
        "SessionID": .string("The identity of a live conversation; for a new one a UUID of version 7."),
        "Ordinal": .number("A text's place in its session: from 1, without gaps, the same for all.", from: 1),
        "Position": .number("Up to where: an ordinal, or 0 for nothing yet.", from: 0),
        "Revision": .number("The state of a session's media; each change adds one.", from: 0),
        "MediumKind": .oneOf(MediumKind.allCases.map(\.rawValue), "What a medium carries."),
        "MediaChange": .oneOf(MediaRequest.Change.allCases.map(\.rawValue), "What is to be done to the media."),
        "SessionState": .oneOf(SessionDocument.State.allCases.map(\.rawValue), "Where the user stands."),
        "SessionEnd": .oneOf(SessionEnd.allCases.map(\.rawValue), "Why it is over."),
        "RequestOutcome": .oneOf(
            SessionDocument.Request.Outcome.allCases.map(\.rawValue),
            "How a request was answered on this user's side."
        ),
        "LegState": .oneOf(SessionDocument.Leg.State.allCases.map(\.rawValue), "Where a device's leg stands."),
        "History": .oneOf(LegRequest.History.allCases.map(\.rawValue), "What a device is given of what was said."),
        "LegStepName": .oneOf(LegStep.Step.allCases.map(\.rawValue), "Where a device says that its leg stands."),
        "SessionRequest": .record(
            "A conversation to be asked for.",
            ["id": "SessionID", "to": "[GivenAddress]"],
            optional: ["from": "GivenAddress", "subject": "Text", "text": "Text", "media": "[MediumKind]"]
        ),
        "AcceptRequest": .record(
            "The device that joins, this one if absent; wanted media that are accepted as well.",
            [:],
            optional: ["device": "Number", "media": "[MediumKind]"]
        ),
        "LegRequest": .record(
            "The device that is to join, this one if absent; whose leg it takes over, if any; its history, all if "
                + "absent.",
            [:],
            optional: ["device": "Number", "from": "Number", "history": "History", "count": "Number"]
        ),
        "LegStep": .record(
            "What a device says of its own leg.",
            ["generation": "Number", "step": "LegStepName"],
            optional: ["position": "Position"]
        ),
        "ParticipantRequest": .record("Names a user.", ["address": "GivenAddress"]),
        "MediaRequest": .record(
            "A change of the media.",
            ["id": "MessageID", "revision": "Revision", "change": "MediaChange"],
            optional: [
                "medium": "Number", "kind": "MediumKind", "sender": "GivenAddress", "source": "Text",
                "device": "Number",
            ]
        ),
        "MediaAnswer": .record(
            "Yes, on a device of one's own (this one if absent), or no.",
            ["accept": "Flag"],
            optional: ["device": "Number"]
        ),
        "PathReport": .record("Whether the path of a medium runs.", ["connected": "Flag"]),
        "PlayRequest": .record(
            "Where a stored video is to stand: milliseconds from the beginning, thousandths of the natural speed.",
            ["isPlaying": "Flag", "position": "Number", "rate": "Number"]
        ),
        "Playback": .record(
            "Where a stored video stood at a time on the server's clock.",
            ["state": "PlayRequest", "at": "Timestamp", "revision": "Number"]
        ),
        "RequestDocument": .record(
            "What became of the request on this user's side, and which devices ring.",
            ["outcome": "RequestOutcome", "alerting": "[Number]"],
            optional: ["device": "Number", "by": "Number", "until": "Timestamp"]
        ),
        "LegDocument": .record(
            "One own device's attachment.",
            ["device": "Number", "generation": "Number", "state": "LegState"],
            optional: [
                "start": "Position", "position": "Position", "fence": "Position", "replaces": "Number",
                "to": "Number",
            ]
        ),
        "PlacementDocument": .record(
            "Where a participant has a medium, by the number that the device has with its own user.",
            ["user": "Address", "generation": "Number", "device": "Number"]
        ),
        "MediumDocument": .record(
            "One medium of a session.",
            ["id": "Number", "kind": "MediumKind", "held": "[Address]", "placements": "[PlacementDocument]"],
            optional: ["sender": "Address", "owner": "Address", "playback": "Playback"]
        ),
        "PendingDocument": .record(
            "A change that waits for answers, or for the path of a move.",
            ["id": "MessageID", "by": "Address", "change": "MediaChange", "medium": "Number", "awaited": "[Address]"],
            optional: ["kind": "MediumKind", "sender": "Address", "device": "Number", "until": "Timestamp"]
        ),
        "SessionDocument": .record(
            "A live conversation as one user's devices see it.",
            [
                "id": "SessionID", "creator": "Address", "user": "Address", "conversation": "ConversationID",
                "started": "Timestamp", "state": "SessionState", "participants": "[Address]",
                "invited": "[Address]", "wanted": "[MediumKind]", "legs": "[LegDocument]",
                "revision": "Revision", "media": "[MediumDocument]", "pending": "[PendingDocument]",
            ],
            optional: ["subject": "Text", "end": "SessionEnd", "text": "Text", "request": "RequestDocument"]
        ),
        "SessionList": .record("Sessions that are not over.", ["sessions": "[SessionDocument]"]),
        "SessionTexts": .record(
            "Texts in order, the last ordinal that the user has, and how far this page goes.",
            ["texts": "[ItemDocument]", "head": "Position"],
            optional: ["upTo": "Position"]
        ),
        "SessionPlace": .record("A text's place in a live conversation.", ["id": "SessionID", "ordinal": "Ordinal"]),
        "CounterpartDevice": .record(
            "A device, as its user shows it.",
            [
                "label": "Text", "kind": "DeviceKind", "features": "[Text]", "registered": "Flag",
                "media": "[Number]",
            ]
        ),
        "CounterpartDocument": .record(
            "What a participant lets others see of the own devices.",
            ["user": "Address"],
            optional: ["features": "[Text]", "devices": "[CounterpartDevice]"]
        ),
        "CounterpartList": .record("Everybody else in a session.", ["users": "[CounterpartDocument]"]),
        "IceServer": .record(
            "A STUN or TURN server.",
            ["urls": "[Text]"],
            optional: ["username": "Text", "credential": "Text"]
        ),
        "IceDocument": .record("What media between devices may use.", ["iceServers": "[IceServer]"]),
        "TypingHint": .record(
            "Somebody types; `from` is the server's to fill in.",
            ["session": "SessionID"],
            optional: ["from": "Address"]
        ),
        "MediaSignal": .record(
            "An offer, an answer or a candidate for one leg alone; an older generation's is dropped.",
            [
                "session": "SessionID", "medium": "Number", "generation": "Number", "to": "GivenAddress",
                "toGeneration": "Number", "payload": "Any",
            ],
            optional: ["from": "Address"]
        ),
    ]
}
