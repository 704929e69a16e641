/// The number of an account within one store.
public struct AccountID: RawRepresentable, Hashable, Comparable, Sendable, Codable {
    public var rawValue: Int64

    /// Wraps a number given out by the store.
    public init(rawValue: Int64) { self.rawValue = rawValue }

    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
}

/// The number of a device within its account; never given out twice.
public struct DeviceID: RawRepresentable, Hashable, Comparable, Sendable, Codable {
    public var rawValue: Int32

    /// Wraps a number given out by the account.
    public init(rawValue: Int32) { self.rawValue = rawValue }

    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
}

/// The number of a message's content, shared by all items of one provider that show it.
public struct ContentID: RawRepresentable, Hashable, Sendable, Codable {
    public var rawValue: Int64

    /// Wraps a number given out by the store.
    public init(rawValue: Int64) { self.rawValue = rawValue }

    /// No content: never given out.
    public static let none = ContentID(rawValue: 0)
}

/// A number of one mailbox: it grows by one with every change to any of its items (as `modseq` of RFC 7162).
public typealias ChangeNumber = Int64

/// A message's identity, chosen by the sender's client (the `imdn.Message-ID` of RFC 5438).
///
/// Letters, digits and `. - _ + = % @`, at most ``Limits/messageIDBytes`` of them.
public struct MessageID: Hashable, Sendable, Codable, CustomStringConvertible {
    public let description: String

    /// Checks and wraps an identifier.
    /// - Throws: ``Refusal`` with code `invalid-id`.
    public init(_ text: String) throws(Refusal) {
        guard Self.isValid(text) else {
            throw Refusal(
                .invalidID,
                "a message id is 1 to \(Limits.messageIDBytes) letters, digits or . - _ + = % @ ~ ! * ' `"
            )
        }
        description = text
    }

    /// Wraps an identifier read back from the store.
    public init(stored text: String) { description = text }

    public init(from decoder: any Decoder) throws {
        try self.init(decoder.singleValueContainer().decode(String.self))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    /// When the identifier was made, if it is a UUID of version 7 (RFC 9562, section 5.7).
    public var creationTime: Timestamp? {
        let text = description.utf8
        guard text.count == 36 else { return nil }
        var milliseconds: Int64 = 0
        var digits = 0
        for (offset, byte) in text.enumerated() {
            if offset == 8 || offset == 13 || offset == 18 || offset == 23 {
                guard byte == UInt8(ascii: "-") else { return nil }
                continue
            }
            guard let digit = hexDigit(byte) else { return nil }
            if offset == 14, digit != 7 { return nil }
            if offset == 19, digit & 0b1100 != 0b1000 { return nil }
            if digits < 12 { milliseconds = milliseconds << 4 | Int64(digit) }
            digits += 1
        }
        return Timestamp(rawValue: milliseconds)
    }

    private static func isValid(_ text: String) -> Bool {
        let bytes = text.utf8
        guard (1...Limits.messageIDBytes).contains(bytes.count) else { return false }
        return bytes.allSatisfy { byte in
            // All of a token (RFC 3261, section 25.1), as which imdn.Message-ID is written, and what e-mail has beside.
            isAlphanumeric(byte) || ".-_+=%@~!*'`".utf8.contains(byte)
        }
    }
}

/// The identity of a conversation: given by the client, or derived from who takes part.
public struct ConversationID: Hashable, Sendable, Codable, CustomStringConvertible {
    public let description: String

    /// Checks and wraps an identifier; the same alphabet as a message id.
    /// - Throws: ``Refusal`` with code `invalid-id`.
    public init(_ text: String) throws(Refusal) {
        description = try MessageID(text).description
    }

    /// Wraps an identifier read back from the store or derived from participants.
    public init(stored text: String) { description = text }

    public init(from decoder: any Decoder) throws {
        try self.init(decoder.singleValueContainer().decode(String.self))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// A session's identity, chosen by the device that asks for it (the Contribution-ID of RCC.07, section 2.4).
///
/// The same alphabet as a message id; ordered, so that of two requests that cross the lower one stays.
public struct SessionID: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
    public let description: String

    /// Checks and wraps an identifier.
    /// - Throws: ``Refusal`` with code `invalid-id`.
    public init(_ text: String) throws(Refusal) { description = try MessageID(text).description }

    /// Wraps an identifier read back from the store.
    public init(stored text: String) { description = text }

    public init(from decoder: any Decoder) throws {
        try self.init(decoder.singleValueContainer().decode(String.self))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.description < rhs.description }
}

/// A text's place in its session, from 1 without gaps; given by the owner.
public typealias Ordinal = Int64

@inline(__always)
func isAlphanumeric(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
        UInt8(ascii: "A")...UInt8(ascii: "Z"):
        true
    default: false
    }
}

@inline(__always)
func hexDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
}
