public import ClientWire
public import SDP
public import SessionCore

/// What two devices say to each other of the media between them: the `payload` of a signal.
///
/// The device with the lower address makes the offers and says each again until it is answered. A device at another
/// implementation follows no such rule: whoever speaks for it says whose turn it is.
public enum MediaPayload: Hashable, Sendable {
    /// An answer or an offer.
    public enum Kind: String, Hashable, Sendable {
        case offer
        case answer
    }

    /// With an offer: the media by the names (`mid`) that the description has for them.
    case description(Kind, SessionDescription, names: [String: MediumID])
    /// This end knows of nothing agreed: whoever makes the offers is to begin anew.
    case ask
    /// Whoever hears this makes the offers from now on, whatever the addresses say, and begins.
    case summon
    /// An offer, which whoever hears it answers from now on, whatever the addresses say.
    case press(SessionDescription, names: [String: MediumID])
    /// This end cannot, and why: a code, or words for a person.
    case refused(String)
    /// This end takes nothing but what is protected, as browsers do: the offer is to be made again like that.
    case needsProtection

    /// A phone and a browser have no path without a relay, and none is there.
    public static let noRelay = "no-relay"
    /// A medium is among two, where one of them is at another implementation, or has a phone.
    public static let amongTwo = "among-two"
    /// The relay did not do its part.
    public static let relayFailed = "relay-failed"

    /// Reads what another device sent; nil for what is not understood, such as a candidate on its own.
    public init?(_ value: JSONValue) {
        guard case .object(let fields) = value else { return nil }
        if case .bool(true)? = fields["ask"] {
            self = fields["turn"] == .text("offer") ? .summon : .ask
            return
        }
        if case .text("webrtc")? = fields["needs"] {
            self = .needsProtection
            return
        }
        if case .text(let reason)? = fields["refused"] {
            self = .refused(reason)
            return
        }
        guard case .object(let described)? = fields["description"], case .text(let type)? = described["type"],
            let kind = Kind(rawValue: type), case .text(let text)? = described["sdp"],
            let description = try? SessionDescription(parsing: Array(text.utf8), limits: .signalled)
        else { return nil }
        var names: [String: MediumID] = [:]
        if case .object(let given)? = fields["names"] {
            for (name, value) in given {
                guard case .integer(let number) = value, let number = Int32(exactly: number) else { continue }
                names[name] = MediumID(rawValue: number)
            }
        }
        let isPressed = kind == .offer && fields["turn"] == .text("answer")
        self = isPressed ? .press(description, names: names) : .description(kind, description, names: names)
    }

    /// As it travels.
    public var value: JSONValue {
        switch self {
        case .ask: return .object(["ask": .bool(true)])
        case .needsProtection: return .object(["needs": .text("webrtc")])
        case .summon: return .object(["ask": .bool(true), "turn": .text("offer")])
        case .refused(let reason): return .object(["refused": .text(reason)])
        case .press(let description, let names):
            var fields = Self.fields(.offer, description, names)
            fields["turn"] = .text("answer")
            return .object(fields)
        case .description(let kind, let description, let names): return .object(Self.fields(kind, description, names))
        }
    }

    private static func fields(
        _ kind: Kind,
        _ description: SessionDescription,
        _ names: [String: MediumID]
    ) -> [String: JSONValue] {
        var fields: [String: JSONValue] = [
            "description": .object(["type": .text(kind.rawValue), "sdp": .text(description.text)])
        ]
        if kind == .offer { fields["names"] = .object(names.mapValues { .integer(Int64($0.rawValue)) }) }
        return fields
    }
}

extension SDPLimits {
    /// What phones and browsers describe of a call.
    public static let signalled: SDPLimits = {
        var limits = SDPLimits()
        limits.maximumBytes = 64 << 10
        limits.maximumLineBytes = 4096
        limits.maximumLines = 2000
        limits.maximumMedia = 32
        return limits
    }()
}

extension MediaDirection {
    /// One of the two directions taken away.
    public func without(sending: Bool = false, receiving: Bool = false) -> MediaDirection {
        MediaDirection(sends: sends && !sending, receives: receives && !receiving)
    }
}
