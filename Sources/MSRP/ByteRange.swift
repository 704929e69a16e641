/// The value of a Byte-Range header: 1-based and inclusive, `start-end/total` (RFC 4975 section 7.1).
public struct ByteRange: Hashable, Sendable {
    /// The position of the first octet; positions count from 1.
    public var start: UInt64
    /// The position of the last octet; none for `*`, when the sender may stop anywhere.
    ///
    /// It is `start - 1` for no octets.
    public var end: UInt64?
    /// The octets of the whole message; none for `*`.
    public var total: UInt64?

    /// What a request without the header means: `1-*/*`.
    public static let whole = Self(uncheckedStart: 1, end: nil, total: nil)

    /// Makes a range.
    ///
    /// - Throws: ``MSRPError`` with ``MSRPError/Code/malformedByteRange`` when it starts at 0, runs backwards, or ends
    ///   after the total.
    public init(start: UInt64, end: UInt64?, total: UInt64?) throws(MSRPError) {
        guard start >= 1 else { throw MSRPError(.malformedByteRange, "positions count from 1") }
        if let end, end < start - 1 { throw MSRPError(.malformedByteRange, "the range runs backwards") }
        if let end, let total, end > total { throw MSRPError(.malformedByteRange, "the range ends after the total") }
        // The position after the last octet must be a number too.
        guard start < .max, (end ?? 0) < .max else { throw MSRPError(.malformedByteRange, "position out of bounds") }
        self.init(uncheckedStart: start, end: end, total: total)
    }

    /// Makes a range whose bounds are known to be in order.
    init(uncheckedStart start: UInt64, end: UInt64?, total: UInt64?) {
        self.start = start
        self.end = end
        self.total = total
    }

    /// Reads a value.
    ///
    /// - Throws: ``MSRPError`` with ``MSRPError/Code/malformedByteRange``.
    public init(parsing text: some StringProtocol) throws(MSRPError) {
        let bytes = Array(text.utf8)
        try self.init(bytes: bytes.span)
    }

    init(bytes: Span<UInt8>) throws(MSRPError) {
        let everything = 0..<bytes.count
        guard let dash = bytes.firstIndex(of: ASCII.hyphen, in: everything),
            let slash = bytes.firstIndex(of: UInt8(ascii: "/"), in: dash..<bytes.count)
        else { throw MSRPError(.malformedByteRange, "start-end/total expected") }
        guard let start = bytes.extracting(0..<dash).decimal(as: UInt64.self) else {
            throw MSRPError(.malformedByteRange, "the start is no 64-bit number")
        }
        let end = try Self.bound(bytes.extracting((dash + 1)..<slash), at: dash + 1)
        let total = try Self.bound(bytes.extracting((slash + 1)..<bytes.count), at: slash + 1)
        try self.init(start: start, end: end, total: total)
    }

    private static func bound(_ bytes: Span<UInt8>, at offset: Int) throws(MSRPError) -> UInt64? {
        if bytes.count == 1, bytes[0] == UInt8(ascii: "*") { return nil }
        guard let number = bytes.decimal(as: UInt64.self) else {
            throw MSRPError(.malformedByteRange, "neither * nor a 64-bit number", offset: offset)
        }
        return number
    }

    /// As it is printed.
    public var text: String {
        "\(self.start)-\(self.end.map(String.init) ?? "*")/\(self.total.map(String.init) ?? "*")"
    }
}
