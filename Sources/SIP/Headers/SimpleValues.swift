public import ByteGrammar

/// A value that is one token: an option tag, a method, an event package (Supported, Allow, Allow-Events and so on).
public struct Token: HeaderValue, ExpressibleByStringLiteral {
    /// The text of the token.
    public var text: String

    /// Makes a token.
    public init(token text: String) { self.text = text }

    /// Makes a token.
    public init(stringLiteral value: String) { self.text = value }

    /// The text of the token.
    public var description: String { self.text }

    /// Takes one token.
    ///
    /// - Throws: ``SIPError/Code/malformedHeaderValue``.
    public init(parsing cursor: inout ByteCursor) throws(SIPError) {
        guard let range = cursor.token() else {
            throw SIPError(.malformedHeaderValue, "expected a token", offset: cursor.offset)
        }
        self.text = cursor.text(range)
    }
}

/// A token with parameters: Event, Subscription-State, Content-Disposition, Reason, Accept-Encoding, Info-Package,
/// Session-Expires, Accept-Contact and the like.
public struct TokenWithParameters: HeaderValue {
    /// The text before the parameters.
    public var text: String
    /// The parameters.
    public var parameters: Parameters

    /// Makes a value.
    public init(_ text: String, _ parameters: Parameters = []) {
        self.text = text
        self.parameters = parameters
    }

    /// The value as it is printed.
    public var description: String { "\(self.text)\(self.parameters)" }

    /// Takes one value.
    ///
    /// - Throws: ``SIPError/Code/malformedHeaderValue``.
    public init(parsing cursor: inout ByteCursor) throws(SIPError) {
        guard let range = cursor.token() else {
            throw SIPError(.malformedHeaderValue, "expected a token", offset: cursor.offset)
        }
        self.text = cursor.text(range)
        self.parameters = try Parameters(parsing: &cursor)
    }
}

/// The sequence number and method of a request (RFC 3261 section 20.16).
public struct CSeq: HeaderValue {
    /// The number. A sender keeps below 2**31; a receiver takes all of 32 bits.
    public var number: UInt32
    /// The method.
    public var method: SIPMethod

    /// Makes a value.
    public init(number: UInt32, method: SIPMethod) {
        self.number = number
        self.method = method
    }

    /// The value as it is printed.
    public var description: String { "\(self.number) \(self.method)" }

    /// Takes one value.
    ///
    /// - Throws: ``SIPError/Code/malformedHeaderValue``.
    public init(parsing cursor: inout ByteCursor) throws(SIPError) {
        guard let number = cursor.unsigned(maximum: UInt64(UInt32.max)) else {
            throw SIPError(.malformedHeaderValue, "CSeq needs a number below 2**32", offset: cursor.offset)
        }
        let blank = cursor.offset
        cursor.skipWhitespace()
        guard cursor.offset > blank, let method = cursor.token() else {
            throw SIPError(.malformedHeaderValue, "CSeq needs a space and a method", offset: cursor.offset)
        }
        self.number = UInt32(number)
        self.method = SIPMethod(rawValue: cursor.text(method))
    }
}

/// What a PRACK acknowledges (RFC 3262 section 7.2).
public struct RAck: HeaderValue {
    /// RSeq of the provisional response.
    public var responseNumber: UInt32
    /// CSeq number of the request.
    public var number: UInt32
    /// CSeq method of the request.
    public var method: SIPMethod

    /// Makes a value.
    public init(responseNumber: UInt32, number: UInt32, method: SIPMethod) {
        self.responseNumber = responseNumber
        self.number = number
        self.method = method
    }

    /// The value as it is printed.
    public var description: String { "\(self.responseNumber) \(self.number) \(self.method)" }

    /// Takes one value.
    ///
    /// - Throws: ``SIPError/Code/malformedHeaderValue``.
    public init(parsing cursor: inout ByteCursor) throws(SIPError) {
        guard let response = cursor.unsigned(maximum: UInt64(UInt32.max)), cursor.next != nil else {
            throw SIPError(.malformedHeaderValue, "RAck needs two numbers and a method", offset: cursor.offset)
        }
        cursor.skipWhitespace()
        let rest = try CSeq(parsing: &cursor)
        self.init(responseNumber: UInt32(response), number: rest.number, method: rest.method)
    }
}

/// A media type with parameters (RFC 3261 section 20.15).
public struct MediaType: HeaderValue {
    /// The type, such as `application`, as it was written; `*` in Accept.
    public var type: String
    /// The subtype, such as `sdp`, as it was written; `*` in Accept.
    public var subtype: String
    /// The parameters.
    public var parameters: Parameters

    /// Makes a media type.
    public init(_ type: String, _ subtype: String, _ parameters: Parameters = []) {
        self.type = type
        self.subtype = subtype
        self.parameters = parameters
    }

    /// Type and subtype in lower case, without parameters.
    public var essence: String { "\(ASCII.lowercased(self.type))/\(ASCII.lowercased(self.subtype))" }

    /// Whether a range of Accept (`*/*`, `text/*`, `text/plain`) covers another type.
    public func covers(_ other: MediaType) -> Bool {
        self.type == "*"
            || (ASCII.equalIgnoringCase(self.type, other.type)
                && (self.subtype == "*" || ASCII.equalIgnoringCase(self.subtype, other.subtype)))
    }

    /// The value as it is printed.
    public var description: String { "\(self.type)/\(self.subtype)\(self.parameters)" }

    /// Takes one value.
    ///
    /// - Throws: ``SIPError/Code/malformedHeaderValue``.
    public init(parsing cursor: inout ByteCursor) throws(SIPError) {
        guard let type = cursor.token(.httpToken), cursor.separator(0x2F), let subtype = cursor.token(.httpToken) else {
            throw SIPError(.malformedHeaderValue, "expected a media type", offset: cursor.offset)
        }
        self.type = cursor.text(type)
        self.subtype = cursor.text(subtype)
        self.parameters = try Parameters(parsing: &cursor)
    }
}

/// Retry-After: seconds, an optional comment, parameters (RFC 3261 section 20.33).
public struct RetryAfter: HeaderValue {
    /// The seconds to wait.
    public var seconds: UInt32
    /// The parameters.
    public var parameters: Parameters

    /// Makes a value.
    public init(seconds: UInt32, parameters: Parameters = []) {
        self.seconds = seconds
        self.parameters = parameters
    }

    /// The value as it is printed.
    public var description: String { "\(self.seconds)\(self.parameters)" }

    /// Takes one value.
    ///
    /// - Throws: ``SIPError/Code/malformedHeaderValue``.
    public init(parsing cursor: inout ByteCursor) throws(SIPError) {
        guard let seconds = cursor.unsigned(maximum: UInt64(UInt32.max)) else {
            throw SIPError(.malformedHeaderValue, "Retry-After needs a number", offset: cursor.offset)
        }
        self.seconds = UInt32(seconds)
        cursor.skipWhitespace()
        if cursor.take(0x28) {
            var depth = 1
            while depth > 0 {
                switch cursor.next {
                case nil: throw SIPError(.malformedHeaderValue, "a comment is not closed", offset: cursor.offset)
                case 0x28: depth += 1
                case 0x29: depth -= 1
                case 0x5C: cursor.skip()
                default: break
                }
                cursor.skip()
            }
        }
        self.parameters = try Parameters(parsing: &cursor)
    }
}
