public import ByteGrammar

/// Session-Expires (RFC 4028 section 4).
public struct SessionExpires: HeaderValue {
    /// Who sends the refreshes.
    public enum Refresher: String, Sendable, Hashable {
        /// Whoever sent the request.
        case uac
        /// Whoever answered it.
        case uas
    }

    /// The session interval in seconds.
    public var seconds: UInt32
    /// The parameters.
    public var parameters: Parameters

    /// Makes a value.
    public init(seconds: UInt32, refresher: Refresher? = nil) {
        self.seconds = seconds
        self.parameters = Parameters(refresher.map { [Parameter("refresher", $0.rawValue)] } ?? [])
    }

    /// The refresher, nil when it is left to the answer.
    public var refresher: Refresher? {
        get { self.parameters["refresher"].flatMap { Refresher(rawValue: ASCII.lowercased($0)) } }
        set { self.parameters["refresher"] = newValue?.rawValue }
    }

    /// The value as it is printed.
    public var description: String { "\(self.seconds)\(self.parameters)" }

    /// Takes one value.
    ///
    /// - Throws: ``SIPError/Code/malformedHeaderValue``.
    public init(parsing cursor: inout ByteCursor) throws(SIPError) {
        guard let seconds = cursor.unsigned(maximum: UInt64(UInt32.max)) else {
            throw SIPError(.malformedHeaderValue, "Session-Expires needs a number", offset: cursor.offset)
        }
        self.seconds = UInt32(seconds)
        self.parameters = try Parameters(parsing: &cursor)
    }
}

extension SIPMessage {
    /// Session-Expires, nil when it is absent.
    ///
    /// - Throws: What ``SessionExpires`` throws.
    public func sessionExpires() throws(SIPError) -> SessionExpires? { try self.value(.sessionExpires) }

    /// Min-SE in seconds, nil when it is absent.
    ///
    /// - Throws: What ``RetryAfter`` throws, whose grammar is the same.
    public func minimumSessionExpires() throws(SIPError) -> UInt32? {
        try self.value(.minSE, as: RetryAfter.self)?.seconds
    }
}
