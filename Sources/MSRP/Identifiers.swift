/// Names one request on one connection (RFC 4975 section 7.1).
public struct TransactionID: Hashable, Sendable, CustomStringConvertible {
    /// The characters as on the wire.
    public let text: String

    /// Takes an id after checking that it is one.
    ///
    /// - Throws: ``MSRPError`` with ``MSRPError/Code/malformedTransactionID``.
    public init(validating text: String) throws(MSRPError) {
        guard Ident.isStrict(text.utf8.span) else {
            throw MSRPError(.malformedTransactionID, "4 to 32 ident characters expected")
        }
        self.text = text
    }

    /// An id that was made by a generator or read off the wire by the frame parser.
    init(unchecked text: String) { self.text = text }

    /// The characters as on the wire.
    public var description: String { self.text }
}

/// Names one message in one session; the same in each of its chunks and in the reports on it (RFC 4975 section 7.1).
public struct MessageID: Hashable, Sendable, CustomStringConvertible {
    /// The most octets that a received id may have.
    ///
    /// The grammar says 32; ids of other lengths are met in practice.
    public static let maxBytes = 128

    /// The characters as on the wire.
    public let text: String

    /// Takes an id after checking that it can be sent: 4 to 32 ident characters.
    ///
    /// - Throws: ``MSRPError`` with ``MSRPError/Code/malformedMessageID``.
    public init(validating text: String) throws(MSRPError) {
        guard Ident.isStrict(text.utf8.span) else {
            throw MSRPError(.malformedMessageID, "4 to 32 ident characters expected")
        }
        self.text = text
    }

    init(unchecked text: String) { self.text = text }

    /// The characters as on the wire.
    public var description: String { self.text }
}

/// The `ident` rule of RFC 4975 section 9.
enum Ident {
    static let maxBytes = 32

    /// A letter or digit, then 3 to 31 of these or `. - + % =`.
    static func isStrict(_ bytes: Span<UInt8>) -> Bool {
        (4...self.maxBytes).contains(bytes.count) && self.isLiberal(bytes)
    }

    /// The characters of an ident, whatever their number.
    static func isLiberal(_ bytes: Span<UInt8>) -> Bool {
        guard bytes.count > 0, ASCII.isAlphanumeric(bytes[0]) else { return false }
        for index in 1..<max(1, bytes.count) where !self.isIdent(bytes[index]) { return false }
        return true
    }

    private static func isIdent(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "%"), UInt8(ascii: "="): true
        default: ASCII.isAlphanumeric(byte)
        }
    }
}

/// Makes transaction and message ids out of a stream of numbers.
///
/// The seed comes from outside, so that a test with a known seed sees known ids. The stream is SplitMix64: unique and
/// evenly spread, which is what ids need. It is no source of secrets; ``MSRPURI/makeSessionID(using:)`` takes one.
public struct IdentifierGenerator: Sendable, RandomNumberGenerator {
    private var state: UInt64

    /// Starts a stream.
    public init(seed: UInt64) { self.state = seed }

    /// The next number of the stream.
    public mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// A new transaction id: 64 bits in 13 letters and digits.
    public mutating func transactionID() -> TransactionID { .init(unchecked: Self.letters(self.next())) }

    /// A new message id: 128 bits in 26 letters and digits.
    public mutating func messageID() -> MessageID {
        .init(unchecked: Self.letters(self.next()) + Self.letters(self.next()))
    }

    /// 13 characters of five bits each.
    ///
    /// A Swift string of up to 15 octets needs no allocation.
    private static func letters(_ number: UInt64) -> String {
        String(unsafeUninitializedCapacity: 13) { bytes in
            for index in 0..<13 {
                let five = UInt8(truncatingIfNeeded: number >> UInt64(index * 5)) & 31
                bytes[index] = five < 26 ? UInt8(ascii: "a") + five : UInt8(ascii: "0") + five - 26
            }
            return 13
        }
    }
}
