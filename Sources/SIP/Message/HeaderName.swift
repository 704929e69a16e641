import ByteGrammar
import NIOCore

/// The name of a header field, compared without case; a compact form is the same name as its long form.
///
/// Well-known names are one byte and compare as fast; any other name keeps its text.
public struct HeaderName: Sendable, Hashable {
    /// The place of a well-known name in ``HeaderName/known``, or ``HeaderName/otherID``.
    let id: UInt8
    /// The name in lower case when it is not well known, else empty.
    let other: String

    /// The id of every name that is not well known.
    static let otherID: UInt8 = 255

    init(id: UInt8) {
        self.id = id
        self.other = ""
    }

    /// The header field name of the given text, which may be in any case or a compact form.
    public init(_ text: String) {
        let bytes = Array(text.utf8)
        self.init(bytes.span, 0..<bytes.count)
    }

    init(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        self.id = Self.identify(bytes, range)
        self.other = self.id == Self.otherID ? ASCII.lowercased(bytes.text(range)) : ""
    }

    /// The name as it is printed: the long form of a well-known name, the lower-case text of any other.
    public var text: String {
        self.id == Self.otherID ? self.other : "\(Self.known[Int(self.id)])"
    }

    /// Writes the printed name.
    ///
    /// - Returns: Its number of bytes.
    func write(into buffer: inout ByteBuffer) -> Int {
        self.id == Self.otherID
            ? buffer.writeString(self.other) : buffer.writeStaticString(Self.known[Int(self.id)])
    }
}

extension HeaderName: ExpressibleByStringLiteral, CustomStringConvertible {
    /// The header field name of the given text.
    public init(stringLiteral value: String) { self.init(value) }

    /// The printed name.
    public var description: String { self.text }
}

extension HeaderName {
    /// Finds the id of a name by a perfect hash over its length and four of its letters.
    static func identify(_ bytes: Span<UInt8>, _ range: Range<Int>) -> UInt8 {
        let count = range.count
        guard count > 0, count < 32 else { return otherID }
        let start = range.lowerBound
        let first = Int(bytes[start] | 0x20)
        let last = Int(bytes[start + count - 1] | 0x20)
        let half = Int(bytes[start + count / 2] | 0x20)
        let third = Int(bytes[start + count / 3] | 0x20)
        let id = slots[(count * 407 + first * 125 + last * 346 + half * 152 + third * 425) & 511]
        guard id != otherID else { return otherID }
        let name = count == 1 ? compact[Int(id)] : known[Int(id)]
        return ASCII.equal(bytes, range, ignoringCase: name) ? id : otherID
    }

    /// The well-known names in the order of their ids.
    static let known: [StaticString] = [
        "Accept",
        "Accept-Contact",
        "Accept-Encoding",
        "Accept-Language",
        "Alert-Info",
        "Allow",
        "Allow-Events",
        "Authentication-Info",
        "Authorization",
        "Call-ID",
        "Call-Info",
        "Contact",
        "Content-Disposition",
        "Content-Encoding",
        "Content-Language",
        "Content-Length",
        "Content-Type",
        "Contribution-ID",
        "Conversation-ID",
        "CSeq",
        "Date",
        "Error-Info",
        "Event",
        "Expires",
        "Flow-Timer",
        "From",
        "Geolocation",
        "Identity",
        "In-Reply-To",
        "Info-Package",
        "Join",
        "Max-Breadth",
        "Max-Forwards",
        "MIME-Version",
        "Min-Expires",
        "Min-SE",
        "Organization",
        "P-Access-Network-Info",
        "P-Asserted-Identity",
        "P-Asserted-Service",
        "P-Associated-URI",
        "P-Called-Party-ID",
        "P-Preferred-Identity",
        "P-Preferred-Service",
        "Path",
        "Priority",
        "Privacy",
        "Proxy-Authenticate",
        "Proxy-Authorization",
        "Proxy-Require",
        "RAck",
        "Reason",
        "Record-Route",
        "Recv-Info",
        "Refer-Sub",
        "Refer-To",
        "Referred-By",
        "Reject-Contact",
        "Replaces",
        "Reply-To",
        "Request-Disposition",
        "Require",
        "Retry-After",
        "Route",
        "RSeq",
        "Server",
        "Service-Route",
        "Session-Expires",
        "Session-ID",
        "SIP-ETag",
        "SIP-If-Match",
        "Subject",
        "Subscription-State",
        "Supported",
        "Target-Dialog",
        "Timestamp",
        "To",
        "Unsupported",
        "User-Agent",
        "Via",
        "Warning",
        "WWW-Authenticate",
    ]

    /// The compact form of each well-known name, or an empty text.
    private static let compact: [StaticString] = [
        "", "a", "", "", "", "", "u", "", "", "i", "", "m", "", "e", "", "l", "c", "", "", "", "", "", "o", "", "",
        "f", "", "y", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "",
        "", "", "", "r", "b", "j", "", "", "d", "", "", "", "", "", "", "x", "", "", "", "s", "", "k", "", "", "t",
        "", "", "v", "", "",
    ]

    /// The id at each slot of the perfect hash.
    private static let slots: [UInt8] = [
        255, 255, 0, 255, 255, 255, 255, 255, 68, 255, 255, 255, 9, 255, 56, 255, 255, 255, 255, 255, 27, 255, 255,
        255, 255, 34, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 12, 255, 79, 255, 23, 255, 255, 255, 255,
        255, 255, 255, 59, 255, 18, 255, 255, 255, 255, 24, 255, 255, 255, 255, 21, 255, 255, 255, 255, 255, 81, 255,
        255, 255, 255, 55, 75, 255, 255, 255, 255, 255, 255, 255, 19, 255, 255, 255, 76, 255, 255, 255, 255, 255, 48,
        255, 255, 255, 61, 71, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 3, 67, 49, 255, 255, 255,
        39, 255, 255, 50, 255, 76, 255, 255, 16, 255, 255, 255, 255, 255, 255, 255, 255, 77, 255, 255, 255, 255, 26,
        255, 28, 255, 255, 255, 255, 6, 255, 255, 255, 255, 255, 255, 255, 255, 255, 47, 255, 35, 255, 53, 255, 255,
        255, 255, 255, 255, 255, 255, 25, 79, 255, 78, 255, 255, 255, 255, 255, 1, 10, 255, 255, 255, 255, 255, 255,
        255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 32, 255, 255, 255, 255, 255, 56, 255, 255, 255, 255, 255,
        255, 255, 255, 255, 255, 255, 255, 70, 255, 255, 67, 255, 255, 255, 255, 255, 255, 255, 16, 255, 255, 255,
        41, 255, 255, 255, 255, 255, 255, 74, 255, 255, 255, 255, 27, 255, 255, 255, 45, 255, 255, 255, 60, 2, 255,
        255, 255, 37, 255, 255, 255, 255, 36, 255, 255, 80, 255, 255, 14, 255, 255, 255, 255, 43, 255, 255, 13, 255,
        38, 255, 42, 255, 255, 255, 65, 255, 255, 255, 255, 255, 255, 255, 1, 255, 17, 255, 255, 255, 255, 255, 25,
        29, 255, 255, 255, 255, 255, 255, 255, 255, 51, 255, 255, 255, 62, 255, 255, 255, 255, 52, 255, 255, 255,
        255, 255, 255, 255, 255, 4, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 8,
        255, 255, 255, 255, 58, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 6, 255, 255, 30,
        255, 255, 255, 255, 55, 9, 255, 255, 255, 255, 255, 255, 73, 60, 255, 255, 255, 255, 255, 255, 255, 255, 255,
        255, 255, 255, 255, 44, 255, 57, 255, 255, 255, 255, 255, 255, 15, 255, 255, 255, 5, 13, 255, 255, 255, 255,
        255, 255, 255, 20, 255, 66, 255, 73, 255, 255, 255, 64, 255, 255, 33, 255, 255, 255, 255, 31, 255, 255, 255,
        255, 255, 255, 71, 255, 255, 255, 255, 15, 255, 255, 255, 255, 46, 255, 11, 255, 255, 255, 255, 255, 7, 255,
        255, 255, 255, 255, 54, 255, 255, 255, 255, 11, 255, 255, 255, 255, 255, 255, 255, 57, 255, 255, 255, 255,
        255, 255, 63, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 40, 22, 255, 255, 255, 255, 255, 72, 255,
        255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 69, 255, 22,
    ]
}
