internal import ByteGrammar

/// A media type with its parameters, as in Content-Type (RFC 2045 section 5.1).
public struct MediaType: Sendable, Hashable, CustomStringConvertible {
    /// A parameter.
    public struct Parameter: Sendable, Hashable {
        /// The name in small letters.
        public var name: String
        /// The value without quotes.
        public var value: String

        /// Makes a parameter.
        public init(name: String, value: String) {
            self.name = name.lowercased()
            self.value = value
        }
    }

    /// The type in small letters.
    public var type: String
    /// The subtype in small letters.
    public var subtype: String
    /// The parameters in order.
    public var parameters: [Parameter]

    /// Makes a media type.
    public init(type: String, subtype: String, parameters: [Parameter] = []) {
        self.type = type.lowercased()
        self.subtype = subtype.lowercased()
        self.parameters = parameters
    }

    /// Reads the value of a Content-Type; white space around the punctuation and empty parameters are passed over.
    ///
    /// - Throws: ``CPIMError`` when it breaks the grammar.
    public init(_ text: String) throws(CPIMError) {
        var reader = Reader(bytes: Array(text.utf8)[...])
        guard let type = reader.token(), reader.take(UInt8(ascii: "/")), let subtype = reader.token() else {
            throw CPIMError(.invalidMediaType, "type/subtype", offset: reader.position)
        }
        self.init(type: type, subtype: subtype)
        while !reader.isAtEnd {
            guard reader.take(UInt8(ascii: ";")) else {
                throw CPIMError(.invalidMediaType, "; or the end", offset: reader.position)
            }
            guard let name = reader.token() else { continue }
            guard reader.take(UInt8(ascii: "=")), let value = reader.value() else {
                throw CPIMError(.invalidMediaType, "name=value", offset: reader.position)
            }
            self.parameters.append(Parameter(name: name, value: value))
        }
    }

    /// The type and subtype, without parameters.
    public var essence: String { "\(self.type)/\(self.subtype)" }

    /// The value of a parameter, named in small letters.
    public func parameter(_ name: String) -> String? { self.parameters.first { $0.name == name }?.value }

    /// The media type as it is printed in a header.
    public var description: String {
        self.essence
            + self.parameters.map { parameter in
                let isToken = !parameter.value.isEmpty && parameter.value.utf8.allSatisfy(Reader.isToken)
                guard !isToken else { return "; \(parameter.name)=\(parameter.value)" }
                let escaped = parameter.value.unicodeScalars.map { $0 == "\"" || $0 == "\\" ? "\\\($0)" : "\($0)" }
                return "; \(parameter.name)=\"\(escaped.joined())\""
            }.joined()
    }
}

/// Reads the tokens and quoted strings of a structured header.
private struct Reader {
    var bytes: ArraySlice<UInt8>

    var position: Int { self.bytes.startIndex }

    /// A token character of RFC 2045: no control, no space, none of the specials.
    static func isToken(_ byte: UInt8) -> Bool {
        byte > 0x20 && byte < 0x7F && !"()<>@,;:\\\"/[]?=".utf8.contains(byte)
    }

    private mutating func skipBlanks() { self.bytes = self.bytes.drop(while: ByteText.isBlank) }

    var isAtEnd: Bool {
        mutating get {
            self.skipBlanks()
            return self.bytes.isEmpty
        }
    }

    mutating func take(_ byte: UInt8) -> Bool {
        self.skipBlanks()
        guard self.bytes.first == byte else { return false }
        self.bytes.removeFirst()
        return true
    }

    mutating func token() -> String? {
        self.skipBlanks()
        let token = self.bytes.prefix(while: Self.isToken)
        self.bytes = self.bytes[token.endIndex...]
        return token.isEmpty ? nil : ByteText.string(token)
    }

    /// Reads a quoted string, or everything up to the next semicolon: values with characters that ought to be quoted
    /// are common.
    mutating func value() -> String? {
        guard self.take(UInt8(ascii: "\"")) else {
            let value = self.bytes.prefix { $0 != UInt8(ascii: ";") && !ByteText.isBlank($0) }
            self.bytes = self.bytes[value.endIndex...]
            return value.isEmpty ? nil : ByteText.string(value)
        }
        var value: [UInt8] = []
        while let byte = self.bytes.popFirst() {
            switch byte {
            case UInt8(ascii: "\""): return ByteText.string(value)
            case UInt8(ascii: "\\"):
                guard let escaped = self.bytes.popFirst() else { return nil }
                value.append(escaped)
            default: value.append(byte)
            }
        }
        return nil
    }
}
