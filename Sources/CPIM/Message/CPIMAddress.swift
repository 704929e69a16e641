internal import ByteGrammar

/// An address of a message: a URI, and a name to show (RFC 3862 section 4.1).
public struct CPIMAddress: Sendable, Hashable {
    /// The name to show, quotes and escapes undone; nil for none.
    public var name: String?
    /// The URI.
    public var uri: String

    /// Makes an address.
    public init(name: String? = nil, uri: String) {
        self.name = name
        self.uri = uri
    }

    /// Reads the value of a From, To or cc header.
    ///
    /// A URI without angle brackets is taken too, as some clients send it.
    ///
    /// - Throws: ``CPIMError`` when there is no URI or the name has an unknown escape.
    public init(_ header: CPIMHeader) throws(CPIMError) {
        let value = ByteText.trim(header.rawValue)
        var nameEnd = value.startIndex
        var name: String?
        if value.first == UInt8(ascii: "\"") {
            guard let close = CPIMHeader.closingQuote(in: value, from: value.startIndex + 1) else {
                throw CPIMError(.invalidAddress, "a closing quote", offset: value.startIndex)
            }
            name = try CPIMEscapes.decode(value[(value.startIndex + 1)..<close])
            nameEnd = close + 1
        }
        guard let open = value[nameEnd...].firstIndex(of: UInt8(ascii: "<")) else {
            guard name == nil, value.contains(UInt8(ascii: ":")), !value.contains(0x20) else {
                throw CPIMError(.invalidAddress, "<URI>", offset: value.startIndex)
            }
            self.init(uri: ByteText.string(value))
            return
        }
        guard let close = value[open...].firstIndex(of: UInt8(ascii: ">")), close > open + 1 else {
            throw CPIMError(.invalidAddress, "<URI>", offset: open)
        }
        if name == nil {
            let words = ByteText.trim(value[nameEnd..<open])
            name = words.isEmpty ? nil : try CPIMEscapes.decode(words)
        }
        self.init(name: name, uri: ByteText.string(value[(open + 1)..<close]))
    }

    /// The value of a header, the name in quotes.
    public var encoded: String {
        let uri = self.uri.unicodeScalars.filter { $0.value > 0x20 && $0 != "<" && $0 != ">" }
        let bracketed = "<\(String(String.UnicodeScalarView(uri)))>"
        return self.name.map { "\"\(CPIMEscapes.encode($0, quoted: true))\" \(bracketed)" } ?? bracketed
    }
}

extension CPIMHeader {
    /// Makes a header that holds an address.
    public init(_ name: String, prefix: String? = nil, address: CPIMAddress) {
        self.init(name, prefix: prefix, encodedValue: address.encoded)
    }
}
