/// What sort of thing a device is; rules speak of it ("only on computers").
public enum DeviceKind: String, Sendable, Codable, CaseIterable {
    case mobile
    case fixedPhone = "fixed-phone"
    case computer
    case pda
    case tablet
    case other
}

/// A media type or a range of them: `image/png`, `image/*`, `*/*`; in lower case, without parameters.
public struct MediaPattern: Hashable, Sendable, Codable, CustomStringConvertible {
    public let description: String

    /// Reads a pattern.
    /// - Throws: ``Refusal`` with code `invalid-request`.
    public init(_ text: String) throws(Refusal) {
        guard let canonical = canonicalMediaType(text) else {
            throw Refusal(.invalidRequest, "not a media type: write type/subtype, type/* or */*")
        }
        description = canonical
    }

    public init(from decoder: any Decoder) throws {
        try self.init(decoder.singleValueContainer().decode(String.self))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    /// Whether a canonical media type falls under this pattern.
    public func matches(_ type: String) -> Bool {
        if description == "*/*" || description == type { return true }
        guard description.utf8.last == UInt8(ascii: "*") else { return false }
        return type.utf8.starts(with: description.utf8.dropLast())
    }
}

/// `type/subtype` in lower case without parameters; nil if the text is none (RFC 2045, section 5.1).
public func canonicalMediaType(_ text: String) -> String? {
    let bare = text.prefix { $0 != ";" && $0 != " " }
    guard bare.utf8.count <= Limits.mediaTypeBytes else { return nil }
    let halves = bare.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    guard halves.count == 2,
        halves.allSatisfy({ half in
            !half.isEmpty && half.allSatisfy { isAlphanumeric($0) || "!#$&-^_.+*".utf8.contains($0) }
        })
    else { return nil }
    return bare.lowercased()
}

/// What a device can take and do.
public struct Capabilities: Hashable, Sendable, Codable {
    /// Media types it can show; a message with any other part becomes a notification there.
    public var accepts: [MediaPattern]
    /// The largest message it takes whole, in bytes; nil for no limit of its own.
    public var maximumMessageBytes: Int64?
    /// Other abilities, for conversations: `text`, `audio`, `video`, `camera`, `microphone`, `notifications` ...
    public var features: [String]

    /// Capabilities as a client states them.
    public init(accepts: [MediaPattern], maximumMessageBytes: Int64? = nil, features: [String] = []) {
        self.accepts = accepts
        self.maximumMessageBytes = maximumMessageBytes
        self.features = features
    }

    /// Takes every media type and every size.
    public static let everything = Capabilities(accepts: [try? MediaPattern("*/*")].compactMap(\.self))

    /// Whether all of these canonical media types can be shown.
    public func accept(_ type: String) -> Bool { accepts.contains { $0.matches(type) } }

    /// Checks the counts and lengths.
    /// - Throws: ``Refusal`` with code `too-many`.
    public func validate() throws(Refusal) {
        guard accepts.count <= Limits.capabilityPatterns, features.count <= Limits.capabilityPatterns,
            features.allSatisfy({ $0.utf8.count <= Limits.labelBytes })
        else { throw Refusal(.tooMany, "at most \(Limits.capabilityPatterns) media patterns and features") }
    }
}

/// Whether a person, or one device of theirs, wants to be disturbed.
public struct Availability: Hashable, Sendable, Codable {
    /// The three states a person can choose.
    public enum State: String, Sendable, Codable, CaseIterable {
        case available
        case busy
        case doNotDisturb = "do-not-disturb"
    }

    public var state: State
    /// When it falls back to available; nil for "until changed".
    public var until: Timestamp?

    /// A chosen state, for ever or until a time.
    public init(_ state: State, until: Timestamp? = nil) {
        self.state = state
        self.until = until
    }

    /// The state in force at `now`.
    public func state(at now: Timestamp) -> State {
        guard let until, until <= now else { return state }
        return .available
    }
}

/// One client instance of an account, as the rules and the mailbox see it.
public struct Device: Hashable, Sendable, Codable {
    public var id: DeviceID
    public var kind: DeviceKind
    public var label: String
    public var capabilities: Capabilities
    public var availability: Availability
    /// Whether reads and deletions made elsewhere are sent to it; on unless the user or operator turns it off.
    public var synchronises: Bool
    public var registered: Timestamp
    /// The registration holds until then.
    public var leaseEnds: Timestamp
    public var lastSeen: Timestamp
    /// The revision of the user's rules at registration; later messages are decided at commit, earlier ones by it.
    public var rulesRevision: Int32
    /// The mailbox's head at registration: what was created later was decided for this device at its commit.
    public var joinedAt: ChangeNumber
    public var cursor: Cursor

    /// A device as it registers.
    public init(
        id: DeviceID,
        kind: DeviceKind,
        label: String,
        capabilities: Capabilities,
        registered: Timestamp,
        rulesRevision: Int32,
        joinedAt: ChangeNumber,
        epoch: Epoch
    ) {
        self.id = id
        self.kind = kind
        self.label = label
        self.capabilities = capabilities
        availability = Availability(.available)
        synchronises = true
        self.registered = registered
        leaseEnds = registered.advanced(by: Limits.leaseMilliseconds)
        lastSeen = registered
        self.rulesRevision = rulesRevision
        self.joinedAt = joinedAt
        cursor = Cursor(epoch: epoch, number: 0, level: 0)
    }

    /// Whether its registration holds at `now`.
    public func isRegistered(at now: Timestamp) -> Bool { leaseEnds > now }

    /// Whether it has been away for so long that it no longer holds tombstones back.
    public func isExpired(at now: Timestamp) -> Bool {
        lastSeen.advanced(by: Limits.deviceExpiryMilliseconds) <= now
    }
}
