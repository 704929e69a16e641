internal import ByteGrammar

/// One message header, kept octet for octet as it came (RFC 3862 section 3).
public struct CPIMHeader: Sendable, Hashable {
    /// A parameter after the colon, such as `lang`.
    public struct Parameter: Sendable, Hashable {
        /// The name.
        public var name: String
        /// The value, without quotes and escapes.
        public var value: String

        /// Makes a parameter.
        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    /// The prefix before the dot; nil when there is none.
    ///
    /// What it means depends on the NS headers before this one.
    public let prefix: String?
    /// The name after the prefix; it is case-sensitive.
    public let name: String
    /// The parameters.
    public let parameters: [Parameter]
    let rawName: ArraySlice<UInt8>
    let rawParameters: ArraySlice<UInt8>
    let rawValue: ArraySlice<UInt8>

    /// Makes a header.
    ///
    /// - Parameters:
    ///   - name: the name.
    ///   - prefix: the prefix declared by an NS header before this one.
    ///   - value: the value; control characters and backslashes are escaped.
    public init(_ name: String, prefix: String? = nil, parameters: [Parameter] = [], value: String) {
        self.init(name, prefix: prefix, parameters: parameters, encodedValue: CPIMEscapes.encode(value))
    }

    init(_ name: String, prefix: String? = nil, parameters: [Parameter] = [], encodedValue: String) {
        self.prefix = prefix
        self.name = name
        self.parameters = parameters
        self.rawName = Array((prefix.map { "\($0).\(name)" } ?? name).utf8)[...]
        let text = parameters.map { parameter in
            let isToken = !parameter.value.isEmpty && parameter.value.utf8.allSatisfy(Self.isPlain)
            let value = isToken ? parameter.value : "\"\(CPIMEscapes.encode(parameter.value, quoted: true))\""
            return ";\(parameter.name)=\(value)"
        }.joined()
        self.rawParameters = Array(text.utf8)[...]
        self.rawValue = Array(encodedValue.utf8)[...]
    }

    /// Reads one line, given without its line end.
    init(line: ArraySlice<UInt8>) throws(CPIMError) {
        if let bad = line.firstIndex(where: { ($0 < 0x20 && $0 != 0x09) || $0 == 0x7F }) {
            throw CPIMError(.invalidCharacter, "no control character", offset: bad)
        }
        guard String(validating: line, as: UTF8.self) != nil else {
            throw CPIMError(.invalidEncoding, "UTF-8", offset: line.startIndex)
        }
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex,
            line[..<colon].allSatisfy(Self.isPlain)
        else { throw CPIMError(.malformedHeader, "name: value", offset: line.startIndex) }
        self.rawName = line[..<colon]
        let full = ByteText.string(line[..<colon])
        if let dot = self.rawName.firstIndex(of: UInt8(ascii: ".")) {
            self.prefix = ByteText.string(self.rawName[..<dot])
            self.name = ByteText.string(self.rawName[(dot + 1)...])
        } else {
            self.prefix = nil
            self.name = full
        }
        var end = colon + 1
        self.parameters = try Self.readParameters(line, at: &end)
        self.rawParameters = line[(colon + 1)..<end]
        // One space belongs to the syntax; senders that leave it out are understood all the same.
        let hasSpace = end < line.endIndex && line[end] == 0x20
        self.rawValue = line[(hasSpace ? end + 1 : end)...]
    }

    private static func readParameters(
        _ line: ArraySlice<UInt8>,
        at index: inout Int
    ) throws(CPIMError) -> [Parameter] {
        var parameters: [Parameter] = []
        while index < line.endIndex, line[index] == UInt8(ascii: ";") {
            let start = index + 1
            guard let equals = line[start...].firstIndex(of: UInt8(ascii: "=")), equals > start,
                line[start..<equals].allSatisfy(Self.isPlain)
            else { throw CPIMError(.malformedHeader, ";name=value", offset: index) }
            let name = ByteText.string(line[start..<equals])
            index = equals + 1
            if index < line.endIndex, line[index] == UInt8(ascii: "\"") {
                guard let close = Self.closingQuote(in: line, from: index + 1) else {
                    throw CPIMError(.malformedHeader, "a closing quote", offset: index)
                }
                parameters.append(Parameter(name: name, value: try CPIMEscapes.decode(line[index + 1..<close])))
                index = close + 1
            } else {
                let end = line[index...].firstIndex { $0 == 0x20 || $0 == UInt8(ascii: ";") } ?? line.endIndex
                parameters.append(Parameter(name: name, value: ByteText.string(line[index..<end])))
                index = end
            }
        }
        return parameters
    }

    /// Finds the quote that ends a string, passing over escaped ones.
    static func closingQuote(in slice: ArraySlice<UInt8>, from start: Int) -> Int? {
        var index = start
        while index < slice.endIndex {
            switch slice[index] {
            case UInt8(ascii: "\\"): index += 2
            case UInt8(ascii: "\""): return index
            default: index += 1
            }
        }
        return nil
    }

    /// What may stand in a name or a plain parameter value.
    private static func isPlain(_ byte: UInt8) -> Bool {
        byte > 0x20 && byte != 0x7F && byte != UInt8(ascii: ":") && byte != UInt8(ascii: ";")
            && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
    }

    /// The name with its prefix, as it stands in the message and in Require.
    public var fullName: String { ByteText.string(self.rawName) }

    /// The value as it stands in the message, escapes and all.
    public var encodedValue: String { ByteText.string(self.rawValue) }

    /// The value with escapes undone and white space around it dropped.
    ///
    /// - Throws: ``CPIMError`` when there is an unknown escape.
    public func value() throws(CPIMError) -> String { try CPIMEscapes.decode(ByteText.trim(self.rawValue)) }

    /// The value of a parameter.
    public func parameter(_ name: String) -> String? { self.parameters.first { $0.name == name }?.value }

    func write(to output: inout [UInt8]) {
        output.append(contentsOf: self.rawName)
        output.append(UInt8(ascii: ":"))
        output.append(contentsOf: self.rawParameters)
        output.append(0x20)
        output.append(contentsOf: self.rawValue)
        output.append(0x0D)
        output.append(0x0A)
    }
}
