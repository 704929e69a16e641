import ByteGrammar
import NIOCore

extension SIPMessage {
    /// The topmost Via.
    ///
    /// - Throws: ``SIPError/Code/missingHeader``, or what ``Via`` throws.
    public func topVia() throws(SIPError) -> Via { try self.required(try self.first(.via), "Via") }

    /// All Via values, topmost first.
    ///
    /// - Throws: What ``Via`` throws.
    public func vias() throws(SIPError) -> [Via] { try self.list(.via) }

    /// The From address.
    ///
    /// - Throws: ``SIPError/Code/missingHeader``, or what ``NameAddress`` throws.
    public func from() throws(SIPError) -> NameAddress { try self.required(try self.value(.from), "From") }

    /// The To address.
    ///
    /// - Throws: ``SIPError/Code/missingHeader``, or what ``NameAddress`` throws.
    public func to() throws(SIPError) -> NameAddress { try self.required(try self.value(.to), "To") }

    /// The tag of From or To, without a look at the address.
    ///
    /// - Throws: ``SIPError/Code/missingHeader``, ``SIPError/Code/repeatedHeader``,
    ///   ``SIPError/Code/malformedHeaderValue``.
    func tag(of name: HeaderName) throws(SIPError) -> String? {
        guard let index = self.index(of: name) else { throw SIPError(.missingHeader, "no \(name)") }
        if let second = self.index(of: name, from: index + 1) {
            throw SIPError(.repeatedHeader, "\(name) stands twice", offset: self.fields[second].line.lowerBound)
        }
        var cursor = ByteCursor(self.storage.readableBytesUInt8Span.extracting(self.fields[index].value))
        return try NameAddress.takeTag(&cursor)
    }

    /// The CSeq value.
    ///
    /// - Throws: ``SIPError/Code/missingHeader``, or what ``CSeq`` throws.
    public func cSeq() throws(SIPError) -> CSeq { try self.required(try self.value(.cSeq), "CSeq") }

    /// The Call-ID, compared byte for byte.
    ///
    /// - Throws: ``SIPError/Code/missingHeader``, ``SIPError/Code/repeatedHeader``,
    ///   ``SIPError/Code/malformedHeaderValue``.
    public func callID() throws(SIPError) -> String {
        let range = try self.callIDRange()
        return self.storage.readableBytesUInt8Span.text(range)
    }

    func callIDRange() throws(SIPError) -> Range<Int> {
        guard let index = self.index(of: .callID) else { throw SIPError(.missingHeader, "no Call-ID") }
        if let second = self.index(of: .callID, from: index + 1) {
            throw SIPError(.repeatedHeader, "Call-ID stands twice", offset: self.fields[second].line.lowerBound)
        }
        let field = self.fields[index]
        var cursor = ByteCursor(self.storage.readableBytesUInt8Span.extracting(field.value))
        guard cursor.token(.word) != nil, !cursor.take(0x40) || cursor.token(.word) != nil, cursor.isAtEnd else {
            throw SIPError(.malformedHeaderValue, "malformed Call-ID", offset: field.value.lowerBound + cursor.offset)
        }
        return field.value.lowerBound..<(field.value.lowerBound + cursor.offset)
    }

    /// Max-Forwards, nil when it is absent.
    ///
    /// - Throws: ``SIPError/Code/malformedHeaderValue``, ``SIPError/Code/repeatedHeader``.
    public func maxForwards() throws(SIPError) -> UInt8? {
        try self.number(.maxForwards, maximum: 255).map { UInt8($0) }
    }

    /// Content-Length as it was written, nil when it is absent.
    ///
    /// - Throws: ``SIPError/Code/malformedHeaderValue``, ``SIPError/Code/repeatedHeader``.
    public func contentLength() throws(SIPError) -> UInt32? { try self.number(.contentLength).map { UInt32($0) } }

    /// The media type of the body, nil when it is absent.
    ///
    /// - Throws: What ``MediaType`` throws.
    public func contentType() throws(SIPError) -> MediaType? { try self.value(.contentType) }

    /// The value of Expires in seconds, nil when it is absent or malformed, which is treated alike
    /// (RFC 3261 section 10.3 step 6 lets a registrar do so; values above 2**32-1 count as 2**32-1).
    public var expires: UInt32? {
        guard let text = self.text(.expires), !text.isEmpty, text.utf8.allSatisfy({ ByteSet.digit.contains($0) }) else {
            return nil
        }
        return UInt32(text) ?? UInt32.max
    }

    /// The option tags of Require, Supported, Proxy-Require or Unsupported, as they were written.
    ///
    /// - Throws: ``SIPError/Code/malformedHeaderValue``, ``SIPError/Code/tooManyItems``.
    public func optionTags(_ name: HeaderName) throws(SIPError) -> [String] {
        try self.list(name, as: Token.self).map(\.text)
    }

    /// Whether an option tag stands in the given header field.
    public func hasOption(_ tag: String, in name: HeaderName) -> Bool {
        let tags = (try? self.optionTags(name)) ?? []
        return tags.contains { ASCII.equalIgnoringCase($0, tag) }
    }

    /// The values of Contact.
    ///
    /// - Throws: ``SIPError/Code/malformedHeaderValue`` (also for `*` beside another value), or what ``NameAddress``
    ///   throws.
    public func contacts() throws(SIPError) -> Contacts {
        let lines = self.texts(.contact)
        if lines.contains("*") {
            guard lines.count == 1 else {
                throw SIPError(.malformedHeaderValue, "Contact is * and something else")
            }
            return .all
        }
        return .addresses(try self.list(.contact))
    }

    /// What Contact says.
    public enum Contacts: Sendable, Hashable {
        /// `*`: all bindings of an address of record.
        case all
        /// The addresses; empty when there is no Contact.
        case addresses([NameAddress])

        /// The addresses; empty for `*`.
        public var addresses: [NameAddress] {
            if case .addresses(let addresses) = self { addresses } else { [] }
        }
    }

    /// The challenges of WWW-Authenticate or Proxy-Authenticate, topmost first; malformed ones are left out.
    public func challenges(_ name: HeaderName) -> [AuthenticationValue] {
        self.texts(name).compactMap { try? AuthenticationValue($0) }
    }

    /// The credentials of Authorization or Proxy-Authorization, topmost first; malformed ones are left out.
    public func credentials(_ name: HeaderName) -> [AuthenticationValue] { self.challenges(name) }

    private func required<Value>(_ value: Value?, _ name: String) throws(SIPError) -> Value {
        guard let value else { throw SIPError(.missingHeader, "no \(name)") }
        return value
    }
}

extension SIPMessage {
    /// Decodes everything that an element relies on, and throws the first fault.
    ///
    /// Checked are the Request-URI, Via, From, To, Call-ID, CSeq (and its method), Max-Forwards, Content-Length,
    /// Contact, Route and Record-Route, and that no value holds a control character (RFC 3261 section 8.1.1).
    ///
    /// - Throws: A ``SIPError`` with the code of the fault.
    public func validate() throws(SIPError) {
        try self.validateBytes()
        let cSeq = try self.cSeq()
        if let method = self.method {
            guard cSeq.method == method else {
                throw SIPError(.methodMismatch, "CSeq is of \(cSeq.method), the request of \(method)")
            }
            _ = try self.requestURI()
        }
        guard try !self.vias().isEmpty else { throw SIPError(.missingHeader, "no Via") }
        _ = try self.from()
        _ = try self.to()
        _ = try self.callID()
        _ = try self.contentLength()
        if self.isRequest { _ = try self.maxForwards() }
        _ = try self.contacts()
        _ = try self.list(.route, as: NameAddress.self)
        _ = try self.list(.recordRoute, as: NameAddress.self)
    }

    /// Control characters have no place in a header field but for tabs and folds, and a bare carriage return would
    /// be a line end for a more liberal reader behind us.
    private func validateBytes() throws(SIPError) {
        let bytes = self.storage.readableBytesUInt8Span
        for field in self.fields {
            var index = Int(field.valueStart)
            while index < Int(field.valueEnd) {
                let byte = bytes[index]
                index += 1
                if byte >= 0x20, byte != 0x7F { continue }
                if byte == 0x09 { continue }
                if byte == 0x0D, index < Int(field.valueEnd), bytes[index] == 0x0A { continue }
                if byte == 0x0A { continue }
                // A quoted pair may hold any control but a line end (RFC 3261 section 25.1).
                if index >= 2, bytes[index - 2] == 0x5C, byte != 0x0D { continue }
                throw SIPError(.malformedHeaderValue, "a control character in a header field", offset: index - 1)
            }
        }
    }
}
