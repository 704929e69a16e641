/// How a message is meant to arrive.
public enum MessageKind: String, Sendable, Codable, CaseIterable {
    case immediate
    case deferred
    case inSession = "in-session"
    case file
}

/// SHA-256 of a blob, 64 lower-case hexadecimal digits.
public struct BlobHash: Hashable, Sendable, Codable, CustomStringConvertible {
    public let description: String

    /// Wraps a hash read back from the store or just computed.
    public init(stored text: String) { description = text }

    public init(from decoder: any Decoder) throws {
        description = try decoder.singleValueContainer().decode(String.self)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// One part of a message: text that travels inside it, or a blob kept beside it.
public struct Part: Hashable, Sendable, Codable {
    /// Canonical media type.
    public var type: String
    /// A file name to offer when saving; a single path component.
    public var name: String?
    public var bytes: Int64
    public var text: String?
    public var sha256: BlobHash?

    /// Text inside the message.
    public init(type: String, name: String? = nil, text: String) {
        self.type = type
        self.name = name
        bytes = Int64(text.utf8.count)
        self.text = text
    }

    /// A blob beside the message.
    public init(type: String, name: String?, bytes: Int64, blob: BlobHash) {
        self.type = type
        self.name = name
        self.bytes = bytes
        sha256 = blob
    }
}

/// Where a text stands in a live conversation.
public struct SessionPlace: Hashable, Sendable, Codable {
    public var id: SessionID
    public var ordinal: Ordinal

    /// A place as the session's owner gave it.
    public init(id: SessionID, ordinal: Ordinal) {
        self.id = id
        self.ordinal = ordinal
    }
}

/// What a message says and to whom; stored once per provider, shown by the sender's and the receivers' items.
///
/// Its Codable form is the document that devices get.
public struct Envelope: Hashable, Sendable, Codable {
    public var id: MessageID
    public var from: Address
    public var to: [Address]
    public var date: Timestamp
    public var kind: MessageKind
    public var conversation: ConversationID
    public var subject: String?
    public var inReplyTo: MessageID?
    public var expires: Timestamp?
    public var parts: [Part]
    /// The place of a text in its live conversation.
    public var session: SessionPlace?

    /// A message as submitted.
    public init(
        id: MessageID,
        from: Address,
        to: [Address],
        date: Timestamp,
        kind: MessageKind = .immediate,
        conversation: ConversationID,
        subject: String? = nil,
        inReplyTo: MessageID? = nil,
        expires: Timestamp? = nil,
        parts: [Part]
    ) {
        self.id = id
        self.from = from
        self.to = to
        self.date = date
        self.kind = kind
        self.conversation = conversation
        self.subject = subject
        self.inReplyTo = inReplyTo
        self.expires = expires
        self.parts = parts
    }

    /// Bytes of subject and parts: what size rules, quota and tariff count.
    public var bytes: Int64 {
        var sum = Int64(subject?.utf8.count ?? 0)
        for part in parts { sum += part.bytes }
        return sum
    }

    /// Checks everything that does not depend on accounts.
    /// - Throws: ``Refusal`` with code `invalid-message`, `too-many` or `too-large`.
    public func validate() throws(Refusal) {
        guard !to.isEmpty else { throw Refusal(.invalidMessage, "a message needs at least one receiver") }
        guard to.count <= Limits.receivers else {
            throw Refusal(.tooMany, "at most \(Limits.receivers) receivers")
        }
        guard Set(to).count == to.count else { throw Refusal(.invalidMessage, "a receiver is named twice") }
        guard !parts.isEmpty || subject?.isEmpty == false else {
            throw Refusal(.invalidMessage, "a message needs a subject or a part")
        }
        guard parts.count <= Limits.messageParts else {
            throw Refusal(.tooMany, "at most \(Limits.messageParts) parts")
        }
        if let subject { try Self.validate(subject: subject) }
        if let expires, expires <= date { throw Refusal(.invalidMessage, "the message expires before it is sent") }
        for part in parts {
            guard canonicalMediaType(part.type) == part.type, !part.type.contains("*") else {
                throw Refusal(.invalidMessage, "a part has no proper media type")
            }
            guard (part.text?.utf8.count ?? 0) <= Limits.inlineTextBytes else {
                throw Refusal(.tooLarge, "text of over \(Limits.inlineTextBytes) bytes goes as an upload")
            }
            if let name = part.name { try Self.validate(fileName: name) }
        }
    }

    /// A subject is one line.
    /// - Throws: ``Refusal`` with code `too-large` or `invalid-message`.
    public static func validate(subject: String) throws(Refusal) {
        guard subject.utf8.count <= Limits.subjectBytes else {
            throw Refusal(.tooLarge, "a subject has at most \(Limits.subjectBytes) bytes")
        }
        guard !subject.unicodeScalars.contains(where: { $0.value < 32 || $0.value == 127 }) else {
            throw Refusal(.invalidMessage, "a subject is one line without control characters")
        }
    }

    /// A file name is one path component of printable characters.
    /// - Throws: ``Refusal`` with code `invalid-message`.
    public static func validate(fileName: String) throws(Refusal) {
        let ok =
            (1...Limits.fileNameBytes).contains(fileName.utf8.count) && fileName != "." && fileName != ".."
            && fileName.unicodeScalars.allSatisfy { scalar in
                scalar != "/" && scalar != "\\" && scalar.value >= 32 && scalar.value != 127
                    && !(0x202A...0x202E).contains(scalar.value) && !(0x2066...0x2069).contains(scalar.value)
            }
        guard ok else {
            throw Refusal(.invalidMessage, "a file name has 1 to \(Limits.fileNameBytes) bytes and no path in it")
        }
    }
}
