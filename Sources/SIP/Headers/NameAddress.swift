public import ByteGrammar

/// A URI with an optional display name and header parameters: From, To, Contact, Route and many more
/// (RFC 3261 section 20.10).
public struct NameAddress: HeaderValue {
    /// The display name without its quotes, nil when there is none.
    public var displayName: String?
    /// The URI.
    public var uri: URI
    /// The parameters of the header field, which stand behind the angle brackets.
    public var parameters: Parameters

    /// Makes an address.
    public init(_ uri: URI, displayName: String? = nil, parameters: Parameters = []) {
        self.displayName = displayName
        self.uri = uri
        self.parameters = parameters
    }

    /// The `tag` parameter.
    public var tag: String? {
        get { self.parameters["tag"] }
        set { self.parameters["tag"] = newValue }
    }

    /// The preference of a Contact, 0 to 1000 for 0 to 1; 1000 when it is not given or malformed.
    public var quality: Int {
        guard let text = self.parameters["q"], let value = QualityValue(text) else { return 1000 }
        return value.thousandths
    }

    /// The value as it is printed, always with angle brackets.
    public var description: String {
        let name = self.displayName.map { "\(Quoting.quoted($0)) " } ?? ""
        return "\(name)<\(self.uri)>\(self.parameters)"
    }

    /// Takes one value.
    ///
    /// - Throws: ``SIPError/Code/malformedHeaderValue``, ``SIPError/Code/malformedURI``.
    public init(parsing cursor: inout ByteCursor) throws(SIPError) {
        let start = cursor.offset
        self.displayName = nil
        if let quoted = cursor.quotedString() {
            self.displayName = cursor.unescaped(quoted)
            cursor.skipWhitespace()
            guard cursor.next == 0x3C else {
                throw SIPError(.malformedHeaderValue, "no address behind the display name", offset: cursor.offset)
            }
        } else if cursor.next != 0x3C {
            _ = cursor.take(until: Self.nameEnd)
            if cursor.next == 0x3C {
                self.displayName = try Self.tokens(&cursor, start: start)
            } else {
                cursor.move(to: start)
            }
        }
        self.uri = try cursor.next == 0x3C ? Self.bracketed(&cursor) : Self.bare(&cursor)
        self.parameters = try Parameters(parsing: &cursor)
    }

    private static let nameEnd = ByteSet("<,;\"".utf8)
    private static let closing = ByteSet(">".utf8)
    private static let opening = ByteSet("<".utf8)
    private static let bareEnd = ByteSet(";, \t\r\n<>\"".utf8)

    /// The tokens between `start` and here, with single spaces.
    private static func tokens(_ cursor: inout ByteCursor, start: Int) throws(SIPError) -> String {
        let end = cursor.offset
        cursor.move(to: start)
        var words: [String] = []
        while cursor.offset < end {
            guard let word = cursor.token(Self.displayBytes) else {
                throw SIPError(.malformedHeaderValue, "a display name that needs quotes", offset: cursor.offset)
            }
            words.append(cursor.text(word))
            cursor.skipWhitespace()
        }
        return words.joined(separator: " ")
    }

    /// What an unquoted display name is made of: tokens, and the bytes above US-ASCII that many senders do not quote.
    private static let displayBytes = ByteSet(
        Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~".utf8) + Array(128...255)
    )

    private static func bracketed(_ cursor: inout ByteCursor) throws(SIPError) -> URI {
        cursor.skip()
        let range = cursor.take(until: Self.closing)
        guard cursor.take(0x3E) else {
            throw SIPError(.malformedHeaderValue, "an angle bracket is not closed", offset: range.lowerBound)
        }
        let inner = cursor.bytes.trimmed(range)
        let hasBlank = inner.contains {
            ByteSet.whitespace.contains(cursor.bytes[$0]) || ByteSet.lineBreak.contains(cursor.bytes[$0])
        }
        do throws(SIPError) {
            if hasBlank {
                let compact = Self.withoutBlanksAtSemicolons(cursor.bytes, inner)
                return try URI.parse(compact.span)
            }
            return try URI.parse(cursor.bytes.extracting(inner))
        } catch {
            throw error.moved(to: range.lowerBound + (error.offset ?? 0))
        }
    }

    /// The bytes of a URI that was folded at a semicolon, which the grammar does not allow and old devices do.
    private static func withoutBlanksAtSemicolons(_ bytes: Span<UInt8>, _ range: Range<Int>) -> [UInt8] {
        var result: [UInt8] = []
        var pendingBlanks: [UInt8] = []
        for index in range {
            let byte = bytes[index]
            if ByteSet.whitespace.contains(byte) || ByteSet.lineBreak.contains(byte) {
                if result.last != 0x3B { pendingBlanks.append(byte) }
                continue
            }
            if byte != 0x3B { result += pendingBlanks }
            pendingBlanks = []
            result.append(byte)
        }
        return result
    }

    /// Takes the `tag` parameter alone; an address in angle brackets is passed over unread.
    static func takeTag(_ cursor: inout ByteCursor) throws(SIPError) -> String? {
        let start = cursor.offset
        _ = cursor.quotedString()
        _ = cursor.take(until: Self.opening)
        guard cursor.take(0x3C) else {
            cursor.move(to: start)
            return try Self(parsing: &cursor).tag
        }
        let inside = cursor.take(until: Self.closing)
        guard cursor.take(0x3E) else {
            throw SIPError(.malformedHeaderValue, "an angle bracket is not closed", offset: inside.lowerBound)
        }
        var tag: Parameters.Place?
        while let place = try Parameters.Place(parsing: &cursor) {
            if tag == nil, place.isNamed("tag", cursor) { tag = place }
        }
        return tag?.text(cursor)
    }

    private static func bare(_ cursor: inout ByteCursor) throws(SIPError) -> URI {
        let range = cursor.take(until: Self.bareEnd)
        let question = ByteSearch.firstOffset(
            of: 0x3F,
            in: cursor.bytes.bytes,
            from: range.lowerBound,
            to: range.upperBound
        )
        guard question == nil else {
            throw SIPError(.malformedHeaderValue, "a URI with ? needs angle brackets", offset: range.lowerBound)
        }
        do throws(SIPError) {
            return try URI.parse(cursor.bytes.extracting(range))
        } catch {
            throw error.moved(to: range.lowerBound + (error.offset ?? 0))
        }
    }
}

/// A weight between 0 and 1 with up to three decimals (`qvalue` of RFC 3261 section 25.1).
public struct QualityValue: Sendable, Hashable, Comparable {
    /// The weight times 1000.
    public let thousandths: Int

    /// Reads a weight, or nil when it is malformed or above 1.
    public init?(_ text: String) {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let whole = parts.first, whole == "0" || whole == "1" || (whole.isEmpty && parts.count == 2) else {
            return nil
        }
        var value = whole == "1" ? 1000 : 0
        if parts.count == 2 {
            guard parts[1].utf8.count <= 3, parts[1].utf8.allSatisfy({ ByteSet.digit.contains($0) }) else { return nil }
            var weight = 100
            for digit in parts[1].utf8 {
                value += Int(digit - 0x30) * weight
                weight /= 10
            }
        }
        guard value <= 1000 else { return nil }
        self.thousandths = value
    }

    /// Compares the weights.
    public static func < (left: Self, right: Self) -> Bool { left.thousandths < right.thousandths }
}
