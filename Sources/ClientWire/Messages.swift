public import MessagingCore

/// One part of a message to be sent: exactly one of `text`, `upload`, `forward` or `file`.
public struct PartRequest: Hashable, Sendable, Codable {
    /// A part of a message that the sender holds, sent on without another upload.
    public struct Forward: Hashable, Sendable, Codable {
        public var message: MessageID
        public var part: Int

        /// Names the part by its message and place, counted from 0.
        public init(message: MessageID, part: Int) {
            self.message = message
            self.part = part
        }
    }

    /// Media type; needed with `text` (default `text/plain`), else taken from the source.
    public var type: String?
    public var name: String?
    public var text: String?
    /// The handle of a complete upload; it is spent by the message that takes it.
    public var upload: String?
    public var forward: Forward?
    /// The id of a file in the personal area.
    public var file: String?

    /// A part of text.
    public init(text: String, type: String = "text/plain", name: String? = nil) {
        self.text = text
        self.type = type
        self.name = name
    }

    /// A part that was uploaded before.
    public init(upload: String, name: String? = nil) {
        self.upload = upload
        self.name = name
    }

    /// A part of another message.
    public init(forward: Forward) { self.forward = forward }

    /// A file of the personal area.
    public init(file: String) { self.file = file }

    private enum CodingKeys: String, CodingKey, CaseIterable { case type, name, text, upload, forward, file }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: AnyKey.self)
        for field in values.allKeys {
            switch try decoder.known(CodingKeys.self, field) {
            case .type: type = try values.decodeIfPresent(String.self, forKey: field)
            case .name: name = try values.decodeIfPresent(String.self, forKey: field)
            case .text: text = try values.decodeIfPresent(String.self, forKey: field)
            case .upload: upload = try values.decodeIfPresent(String.self, forKey: field)
            case .forward: forward = try values.decodeIfPresent(Forward.self, forKey: field)
            case .file: file = try values.decodeIfPresent(String.self, forKey: field)
            }
        }
    }
}

/// A message to be sent (`POST /v1/messages`, or `send` on the socket).
public struct SendRequest: Hashable, Sendable, Codable {
    /// A UUID of version 7 on the server's clock; sending it again never makes a second message.
    public var id: MessageID
    /// One of the sender's own addresses; the principal one if absent.
    public var from: Address?
    public var to: [Address]
    public var subject: String?
    public var parts: [PartRequest]
    public var reports: [Report]?
    public var kind: MessageKind?
    public var conversation: ConversationID?
    public var inReplyTo: MessageID?
    public var expires: Timestamp?
    /// The live conversation that a text belongs to; `to` stays empty then, and so do `conversation` and `kind`.
    public var session: SessionID?

    /// A text of a live conversation.
    public init(id: MessageID, session: SessionID, parts: [PartRequest]) {
        self.id = id
        self.session = session
        self.parts = parts
        to = []
    }

    /// A message with what it must have.
    public init(id: MessageID, to: [Address], subject: String? = nil, parts: [PartRequest], reports: [Report]? = nil) {
        self.id = id
        self.to = to
        self.subject = subject
        self.parts = parts
        self.reports = reports
    }

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case id, from, to, subject, parts, reports, kind, conversation, inReplyTo, expires, session
    }

    public init(from decoder: any Decoder) throws {
        var id: MessageID?
        var to: [Address]?
        parts = []
        let values = try decoder.container(keyedBy: AnyKey.self)
        for field in values.allKeys {
            switch try decoder.known(CodingKeys.self, field) {
            case .id: id = try values.decode(MessageID.self, forKey: field)
            case .from: from = try values.decodeIfPresent(Address.self, forKey: field)
            case .to: to = try values.decodeIfPresent([Address].self, forKey: field)
            case .subject: subject = try values.decodeIfPresent(String.self, forKey: field)
            case .parts: parts = try values.decodeIfPresent([PartRequest].self, forKey: field) ?? []
            case .reports: reports = try values.decodeIfPresent([Report].self, forKey: field)
            case .kind: kind = try values.decodeIfPresent(MessageKind.self, forKey: field)
            case .conversation: conversation = try values.decodeIfPresent(ConversationID.self, forKey: field)
            case .inReplyTo: inReplyTo = try values.decodeIfPresent(MessageID.self, forKey: field)
            case .expires: expires = try values.decodeIfPresent(Timestamp.self, forKey: field)
            case .session: session = try values.decodeIfPresent(SessionID.self, forKey: field)
            }
        }
        self.id = try decoder.required(id, CodingKeys.id)
        self.to = session == nil ? try decoder.required(to, CodingKeys.to) : to ?? []
    }
}

/// What became of one receiver.
public struct ReceiverDocument: Hashable, Sendable, Codable {
    public var address: Address
    /// `pending`, `failed`, `delivered` or `displayed`.
    public var state: String
    public var since: Timestamp
    /// Why it failed: a problem's code.
    public var reason: Refusal.Code?

    /// The contract's form of a receiver's state.
    public init(_ receiver: ReceiverState) {
        address = receiver.address
        state = receiver.disposition.name
        since = receiver.since
        reason = receiver.failure
    }
}

/// The answer to a message accepted: committed, and the same for every repetition.
public struct SendAnswer: Hashable, Sendable, Codable {
    public var id: MessageID
    /// The number of the sender's item.
    public var created: ChangeNumber
    public var conversation: ConversationID
    public var receivers: [ReceiverDocument]
    public var balance: Int64
    /// A text's place in its live conversation.
    public var ordinal: Ordinal?
    /// The message was accepted earlier; nothing was done now.
    public var repeated: Bool

    /// An answer as committed.
    public init(
        id: MessageID,
        created: ChangeNumber,
        conversation: ConversationID,
        receivers: [ReceiverDocument],
        balance: Int64,
        ordinal: Ordinal? = nil,
        repeated: Bool
    ) {
        self.id = id
        self.created = created
        self.conversation = conversation
        self.receivers = receivers
        self.balance = balance
        self.ordinal = ordinal
        self.repeated = repeated
    }
}

/// What a device is told when it is not sent the whole message: who, what about, and where the rest is.
public struct Notice: Hashable, Sendable, Codable {
    public var from: Address
    public var subject: String?
    public var date: Timestamp
    public var bytes: Int64
    public var types: [String]
    /// A signed link that expires; it serves the whole message without further credentials.
    public var link: String

    /// A notice of an envelope.
    public init(_ envelope: Envelope, link: String) {
        from = envelope.from
        subject = envelope.subject
        date = envelope.date
        bytes = envelope.bytes
        types = envelope.parts.map(\.type)
        self.link = link
    }
}

/// An item as a device gets it: a message, another object with its `value`, or the news that it is gone.
public struct ItemDocument: Sendable, Codable {
    /// The number of its last change.
    public var changed: ChangeNumber
    /// The number of its making; messages are ordered by it.
    public var created: ChangeNumber
    public var kind: String
    public var id: String
    public var gone: Bool?
    /// For a message: whole, notification or nothing.
    public var deliver: Deliver?
    public var silent: Bool?
    /// `inbox`, `sent` or both.
    public var boxes: [String]?
    public var read: Bool?
    /// The provider no longer stores the content.
    public var released: Bool?
    public var conversation: ConversationID?
    /// Own addresses that were written to.
    public var addressed: [Address]?
    public var receivers: [ReceiverDocument]?
    public var message: Envelope?
    public var notice: Notice?
    /// Another kind's object.
    public var value: JSONValue?
}

/// Any JSON value, for objects that pass through untouched.
public indirect enum JSONValue: Hashable, Sendable, Codable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case text(String)
    case list([JSONValue])
    case object([String: JSONValue])

    public init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if value.decodeNil() {
            self = .null
        } else if let bool = try? value.decode(Bool.self) {
            self = .bool(bool)
        } else if let integer = try? value.decode(Int64.self) {
            self = .integer(integer)
        } else if let number = try? value.decode(Double.self) {
            self = .number(number)
        } else if let text = try? value.decode(String.self) {
            self = .text(text)
        } else if let list = try? value.decode([JSONValue].self) {
            self = .list(list)
        } else {
            self = .object(try value.decode([String: JSONValue].self))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .text(let value): try container.encode(value)
        case .list(let value): try container.encode(value)
        case .object(let value): try container.encode(value)
        }
    }
}

/// Names messages for a command: by id, or everything of a conversation up to a number.
public struct ReadRequest: Hashable, Sendable, Codable {
    public var ids: [MessageID]?
    public var conversation: ConversationID?
    /// The highest `created` number that was shown.
    public var upTo: ChangeNumber?

    /// Single messages.
    public init(ids: [MessageID]) { self.ids = ids }

    /// What this device was sent of a conversation.
    public init(conversation: ConversationID, upTo: ChangeNumber) {
        self.conversation = conversation
        self.upTo = upTo
    }

    private enum CodingKeys: String, CodingKey, CaseIterable { case ids, conversation, upTo }

    public init(from decoder: any Decoder) throws {
        try decoder.onlyKnow(CodingKeys.self)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        ids = try values.decodeIfPresent([MessageID].self, forKey: .ids)
        conversation = try values.decodeIfPresent(ConversationID.self, forKey: .conversation)
        upTo = try values.decodeIfPresent(ChangeNumber.self, forKey: .upTo)
    }
}

/// Messages to be deleted, on all devices or here only.
public struct DeleteRequest: Hashable, Sendable, Codable {
    /// Where a deletion holds.
    public enum Scope: String, Sendable, Codable, CaseIterable {
        case everywhere
        case here
    }

    public var ids: [MessageID]
    public var scope: Scope

    /// A deletion of messages.
    public init(ids: [MessageID], scope: Scope) {
        self.ids = ids
        self.scope = scope
    }

    private enum CodingKeys: String, CodingKey, CaseIterable { case ids, scope }

    public init(from decoder: any Decoder) throws {
        try decoder.onlyKnow(CodingKeys.self)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        ids = try values.decode([MessageID].self, forKey: .ids)
        scope = try values.decode(Scope.self, forKey: .scope)
    }
}

/// How many items a command changed.
public struct CountAnswer: Hashable, Sendable, Codable {
    public var changed: Int

    /// A count.
    public init(changed: Int) { self.changed = changed }
}

/// A page of messages or other items, newest first.
public struct ItemPage: Sendable, Codable {
    public var items: [ItemDocument]
    /// Give it as `before` to get the next page; absent on the last.
    public var next: ChangeNumber?

    /// A page as read.
    public init(items: [ItemDocument], next: ChangeNumber?) {
        self.items = items
        self.next = next
    }
}

/// A page of conversations, newest first.
public struct ConversationPage: Sendable, Codable {
    /// One conversation.
    public struct Entry: Sendable, Codable {
        public var conversation: ConversationID
        public var messages: Int
        public var unread: Int
        public var newest: ItemDocument?

        /// An entry as read.
        public init(conversation: ConversationID, messages: Int, unread: Int, newest: ItemDocument?) {
            self.conversation = conversation
            self.messages = messages
            self.unread = unread
            self.newest = newest
        }
    }

    public var conversations: [Entry]
    public var next: ChangeNumber?

    /// A page as read.
    public init(conversations: [Entry], next: ChangeNumber?) {
        self.conversations = conversations
        self.next = next
    }
}

/// What each device gets, or got, for a message, and why.
public struct ExplanationDocument: Hashable, Sendable, Codable {
    /// One device's share.
    public struct Entry: Hashable, Sendable, Codable {
        public var device: DeviceID
        public var label: String
        public var kind: DeviceKind
        public var deliver: Deliver
        public var silent: Bool
        /// A sentence: `rule 'business' matched: to=sip:alice.work@a.example, device is fixed-phone`.
        public var because: String

        /// An entry as decided.
        public init(
            device: DeviceID,
            label: String,
            kind: DeviceKind,
            deliver: Deliver,
            silent: Bool,
            because: String
        ) {
            self.device = device
            self.label = label
            self.kind = kind
            self.deliver = deliver
            self.silent = silent
            self.because = because
        }
    }

    public var devices: [Entry]

    /// All devices of the account.
    public init(devices: [Entry]) { self.devices = devices }
}
