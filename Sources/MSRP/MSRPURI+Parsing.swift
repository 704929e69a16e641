extension MSRPURI {
    /// Reads a URI.
    ///
    /// - Throws: ``MSRPError`` with ``MSRPError/Code/malformedURI`` and the offset of the octet that does not fit.
    public init(parsing text: some StringProtocol) throws(MSRPError) {
        let bytes = Array(text.utf8)
        try self.init(bytes: bytes.span)
    }

    /// Reads a path: URIs separated by blanks.
    ///
    /// - Throws: ``MSRPError`` with ``MSRPError/Code/malformedURI``, also for no URI at all, or
    ///   ``MSRPError/Code/tooManyPathURIs``.
    public static func path(
        parsing text: some StringProtocol,
        limits: MSRPLimits = .init()
    ) throws(MSRPError) -> [MSRPURI] {
        let bytes = Array(text.utf8)
        return try self.path(bytes: bytes.span, limits: limits)
    }

    static func path(bytes: Span<UInt8>, limits: MSRPLimits) throws(MSRPError) -> [MSRPURI] {
        var uris: [MSRPURI] = []
        var index = 0
        while index < bytes.count {
            guard bytes[index] != ASCII.space else {
                index += 1
                continue
            }
            let end = bytes.firstIndex(of: ASCII.space, in: index..<bytes.count) ?? bytes.count
            guard uris.count < limits.maxPathURIs else {
                throw MSRPError(.tooManyPathURIs, "more than \(limits.maxPathURIs) URIs", offset: index)
            }
            uris.append(try MSRPURI(bytes: bytes.extracting(index..<end)))
            index = end
        }
        guard !uris.isEmpty else { throw MSRPError(.malformedURI, "a path has at least one URI") }
        return uris
    }

    init(bytes: Span<UInt8>) throws(MSRPError) {
        guard bytes.count <= Self.maxBytes else {
            throw MSRPError(.malformedURI, "longer than \(Self.maxBytes) octets", offset: Self.maxBytes)
        }
        var reader = URIReader(at: 0)
        let isSecure = try reader.scheme(in: bytes)
        let authorityEnd = reader.end(of: bytes) { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: ";") }
        let user = try reader.user(in: bytes, before: authorityEnd)
        let host = try reader.host(in: bytes, before: authorityEnd)
        let port = try reader.port(in: bytes, before: authorityEnd)
        let sessionID = try reader.sessionID(in: bytes)
        let transport = try reader.transport(in: bytes)
        try reader.parameters(in: bytes)
        self.init(
            isSecure: isSecure,
            user: user,
            host: host,
            port: port,
            sessionID: sessionID,
            transport: transport,
            text: bytes.string(0..<bytes.count)
        )
    }
}

/// The places in a URI, one after the other.
private struct URIReader {
    var position: Int

    init(at position: Int) { self.position = position }

    func end(of bytes: Span<UInt8>, where isEnd: (UInt8) -> Bool) -> Int {
        var index = self.position
        while index < bytes.count, !isEnd(bytes[index]) { index += 1 }
        return index
    }

    mutating func scheme(in bytes: Span<UInt8>) throws(MSRPError) -> Bool {
        for (length, isSecure) in [(7, false), (8, true)] where bytes.count >= length {
            let matches =
                isSecure
                ? bytes.extracting(0..<8).equalsIgnoringCase("msrps://")
                : bytes.extracting(0..<7).equalsIgnoringCase("msrp://")
            guard matches else { continue }
            self.position = length
            return isSecure
        }
        throw MSRPError(.malformedURI, "msrp:// or msrps:// expected")
    }

    mutating func user(in bytes: Span<UInt8>, before end: Int) throws(MSRPError) -> String? {
        guard let at = bytes.firstIndex(of: UInt8(ascii: "@"), in: self.position..<end) else { return nil }
        for index in self.position..<at where !self.isUser(bytes[index]) {
            throw MSRPError(.malformedURI, "not a character of a user part", offset: index)
        }
        defer { self.position = at + 1 }
        return bytes.string(self.position..<at)
    }

    mutating func host(in bytes: Span<UInt8>, before end: Int) throws(MSRPError) -> String {
        let start = self.position
        if start < end, bytes[start] == UInt8(ascii: "[") {
            guard let close = bytes.firstIndex(of: UInt8(ascii: "]"), in: start..<end), close > start + 1 else {
                throw MSRPError(.malformedURI, "an address in brackets expected", offset: start)
            }
            for index in (start + 1)..<close where !self.isAddress(bytes[index]) {
                throw MSRPError(.malformedURI, "not a character of an address", offset: index)
            }
            self.position = close + 1
            return bytes.string((start + 1)..<close).lowercased()
        }
        let stop = bytes.firstIndex(of: ASCII.colon, in: start..<end) ?? end
        guard stop > start else { throw MSRPError(.malformedURI, "a host expected", offset: start) }
        for index in start..<stop where !self.isName(bytes[index]) {
            throw MSRPError(.malformedURI, "not a character of a host", offset: index)
        }
        self.position = stop
        return bytes.string(start..<stop).lowercased()
    }

    mutating func port(in bytes: Span<UInt8>, before end: Int) throws(MSRPError) -> UInt16? {
        guard self.position < end else { return nil }
        guard bytes[self.position] == ASCII.colon,
            let port = bytes.extracting((self.position + 1)..<end).decimal(as: UInt16.self)
        else { throw MSRPError(.malformedURI, "a port expected", offset: self.position) }
        self.position = end
        return port
    }

    mutating func sessionID(in bytes: Span<UInt8>) throws(MSRPError) -> String? {
        guard self.position < bytes.count, bytes[self.position] == UInt8(ascii: "/") else { return nil }
        let start = self.position + 1
        let end = self.end(of: bytes) { $0 == UInt8(ascii: ";") }
        guard end > start else { throw MSRPError(.malformedURI, "a session id expected", offset: start) }
        for index in start..<end where !self.isSessionID(bytes[index]) {
            throw MSRPError(.malformedURI, "not a character of a session id", offset: index)
        }
        self.position = end
        return bytes.string(start..<end)
    }

    mutating func transport(in bytes: Span<UInt8>) throws(MSRPError) -> String {
        guard self.position < bytes.count, bytes[self.position] == UInt8(ascii: ";") else {
            throw MSRPError(.malformedURI, "a transport expected", offset: self.position)
        }
        self.position += 1
        let end = self.end(of: bytes) { $0 == UInt8(ascii: ";") }
        guard end > self.position else { throw MSRPError(.malformedURI, "a transport expected", offset: end) }
        for index in self.position..<end where !ASCII.isAlphanumeric(bytes[index]) {
            throw MSRPError(.malformedURI, "not a character of a transport", offset: index)
        }
        defer { self.position = end }
        return bytes.string(self.position..<end).lowercased()
    }

    mutating func parameters(in bytes: Span<UInt8>) throws(MSRPError) {
        while self.position < bytes.count {
            self.position += 1
            let end = self.end(of: bytes) { $0 == UInt8(ascii: ";") }
            guard end > self.position, ASCII.isToken(bytes[self.position]) else {
                throw MSRPError(.malformedURI, "a parameter expected", offset: self.position)
            }
            for index in self.position..<end
            where !ASCII.isToken(bytes[index]) && bytes[index] != UInt8(ascii: "=") {
                throw MSRPError(.malformedURI, "not a character of a parameter", offset: index)
            }
            self.position = end
        }
    }

    private func isUser(_ byte: UInt8) -> Bool { self.isName(byte) || byte == ASCII.colon }

    private func isAddress(_ byte: UInt8) -> Bool {
        ASCII.isAlphanumeric(byte) || byte == ASCII.colon || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "%")
    }

    private func isName(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "$"), UInt8(ascii: "&"), UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: ","),
            UInt8(ascii: "="):
            true
        case UInt8(ascii: "`"): false
        default: ASCII.isToken(byte)
        }
    }

    private func isSessionID(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "+"),
            UInt8(ascii: "="), UInt8(ascii: "/"):
            true
        default: ASCII.isAlphanumeric(byte)
        }
    }
}

extension Span<UInt8> {
    /// A part as a string; octets that are no UTF-8 become replacement characters.
    func string(_ range: Range<Int>) -> String {
        self.extracting(range).withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
    }
}
