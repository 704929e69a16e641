import ByteGrammar

extension SIPURI {
    /// Reads what follows the colon of the scheme, to the end of the bytes.
    init(isSecure: Bool, parsing cursor: inout ByteCursor) throws(SIPError) {
        self.isSecure = isSecure
        self.user = nil
        self.password = nil
        if let at = Self.userEnd(cursor) {
            (self.user, self.password) = try Self.userInfo(&cursor, end: at)
            cursor.skip()
        }
        self.hostPort = try HostPort(parsing: &cursor)
        self.parameters = []
        self.headers = []
        while cursor.take(0x3B) {
            try Self.checkCount(self.parameters.items.count, cursor)
            self.parameters.items.append(try Self.parameter(&cursor, bytes: .uriParameter))
        }
        if cursor.take(0x3F) {
            repeat {
                try Self.checkCount(self.headers.count, cursor)
                self.headers.append(try Self.parameter(&cursor, bytes: .uriHeader))
            } while cursor.take(0x26)
        }
        guard cursor.isAtEnd else { throw SIPError(.malformedURI, "unexpected text in the URI", offset: cursor.offset) }
    }

    /// The offset of the `@`. The user part may hold `;` and `?`, so the first `@` ends it wherever it stands.
    private static func userEnd(_ cursor: borrowing ByteCursor) -> Int? {
        ByteSearch.firstOffset(of: 0x40, in: cursor.bytes.bytes, from: cursor.offset, to: cursor.bytes.count)
    }

    private static func userInfo(_ cursor: inout ByteCursor, end: Int) throws(SIPError) -> (String, String?) {
        let user = try Self.escaped(&cursor, .uriUser)
        guard !user.isEmpty else { throw SIPError(.malformedURI, "the user part is empty", offset: cursor.offset) }
        var password: String?
        if cursor.take(0x3A) { password = cursor.text(try Self.escaped(&cursor, .uriPassword)) }
        guard cursor.offset == end else {
            throw SIPError(.malformedURI, "a byte that the user part must escape", offset: cursor.offset)
        }
        return (cursor.text(user), password)
    }

    /// Takes bytes of a set and complete percent escapes.
    private static func escaped(_ cursor: inout ByteCursor, _ set: ByteSet) throws(SIPError) -> Range<Int> {
        let start = cursor.offset
        while true {
            _ = cursor.take(while: set)
            guard cursor.next == 0x25 else { break }
            guard let first = cursor.peek(1), let second = cursor.peek(2), ByteSet.hexadecimal.contains(first),
                ByteSet.hexadecimal.contains(second)
            else { throw SIPError(.malformedURI, "an incomplete percent escape", offset: cursor.offset) }
            cursor.skip(3)
        }
        return start..<cursor.offset
    }

    private static func parameter(_ cursor: inout ByteCursor, bytes: ByteSet) throws(SIPError) -> Parameter {
        let name = try Self.escaped(&cursor, bytes)
        guard !name.isEmpty else { throw SIPError(.malformedURI, "an empty parameter", offset: cursor.offset) }
        var parameter = Parameter(cursor.text(name))
        if cursor.take(0x3D) { parameter.value = cursor.text(try Self.escaped(&cursor, bytes)) }
        return parameter
    }

    private static func checkCount(_ count: Int, _ cursor: borrowing ByteCursor) throws(SIPError) {
        guard count < SIPLimits.parameters else {
            throw SIPError(.tooManyItems, "more than \(SIPLimits.parameters) parameters", offset: cursor.offset)
        }
    }
}
