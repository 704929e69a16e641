internal import ByteGrammar

/// Which file is meant, `a=file-selector` (RFC 5547 section 6); every part may be absent.
public struct FileSelector: Sendable, Hashable {
    /// A hash of the content.
    public struct Hash: Sendable, Hashable {
        /// The name of the function in small letters; `sha-1` is the one registered.
        public var algorithm: String
        /// The hash.
        public var octets: [UInt8]

        /// Makes a hash.
        public init(algorithm: String, octets: [UInt8]) {
            self.algorithm = algorithm
            self.octets = octets
        }
    }

    /// The name of the file, without folders and with percent-encoding undone.
    public var name: String?
    /// The media type with its parameters.
    public var type: String?
    /// The size in octets.
    public var size: UInt64?
    /// The hashes.
    public var hashes: [Hash]

    /// Makes a selector.
    public init(name: String? = nil, type: String? = nil, size: UInt64? = nil, hashes: [Hash] = []) {
        self.name = name
        self.type = type
        self.size = size
        self.hashes = hashes
    }

    /// Reads the value of the attribute; an empty value selects nothing and only announces support.
    ///
    /// Small hexadecimal digits in a hash are taken, although the grammar has capitals only. Selectors of unknown
    /// names are passed over.
    ///
    /// - Throws: ``SDPError`` when a selector breaks its grammar.
    public init(_ text: String) throws(SDPError) {
        self.init()
        for word in Self.words(Array(text.utf8)) {
            guard let colon = word.firstIndex(of: UInt8(ascii: ":")) else {
                throw SDPError(.invalidAttribute, "name:value in a=file-selector")
            }
            let value = ByteText.string(word[(colon + 1)...])
            switch ByteText.string(word[..<colon]).lowercased() {
            case "name": self.name = try Self.fileName(value)
            case "type": self.type = value
            case "size":
                guard let size = ByteText.decimal(value.utf8) else {
                    throw SDPError(.invalidAttribute, "a number in size of a=file-selector")
                }
                self.size = size
            case "hash":
                let parts = value.split(separator: ":", maxSplits: 1).map(String.init)
                guard parts.count == 2, let octets = ColonHex.decode(parts[1]) else {
                    throw SDPError(.invalidAttribute, "algorithm:octets in hash of a=file-selector")
                }
                self.hashes.append(Hash(algorithm: parts[0].lowercased(), octets: octets))
            default: break
            }
        }
    }

    /// The value of the attribute.
    public var text: String {
        var words: [String] = []
        if let name = self.name { words.append("name:\"\(Self.encode(name))\"") }
        if let type = self.type { words.append("type:\(type)") }
        if let size = self.size { words.append("size:\(size)") }
        words += self.hashes.map { "hash:\($0.algorithm):\(ColonHex.encode($0.octets))" }
        return words.joined(separator: " ")
    }

    /// Tells whether a file is the one meant: everything stated must be equal (types and hash names without case).
    ///
    /// A hash is compared only when the file's hash by the same function is given.
    public func matches(_ file: FileSelector) -> Bool {
        if let name = self.name, name != file.name { return false }
        if let type = self.type, type.lowercased() != file.type?.lowercased() { return false }
        if let size = self.size, size != file.size { return false }
        return self.hashes.allSatisfy { hash in
            let known = file.hashes.filter { $0.algorithm == hash.algorithm }
            return known.isEmpty || known.contains(hash)
        }
    }

    /// Splits at spaces outside quotes.
    private static func words(_ bytes: [UInt8]) -> [ArraySlice<UInt8>] {
        var isQuoted = false
        return bytes.split { byte in
            if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
            return byte == 0x20 && !isQuoted
        }
    }

    private static func fileName(_ value: String) throws(SDPError) -> String {
        guard value.utf8.count >= 2, value.hasPrefix("\""), value.hasSuffix("\"") else {
            throw SDPError(.invalidAttribute, "a quoted name in a=file-selector")
        }
        let bytes = Array(value.utf8.dropFirst().dropLast())
        var decoded: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count,
                let high = ASCII.hexadecimalValue(bytes[index + 1]),
                let low = ASCII.hexadecimalValue(bytes[index + 2])
            {
                decoded.append(high << 4 | low)
                index += 3
            } else {
                decoded.append(bytes[index])
                index += 1
            }
        }
        // A name never leads out of the folder where the receiver keeps files.
        let last = decoded.split(omittingEmptySubsequences: false) {
            $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\")
        }
        let name = ByteText.string(last.last ?? [])
        return name == "." || name == ".." ? "" : name
    }

    /// Encodes what may not stand in the quotes: quotes, CR, LF, NUL and the percent sign itself.
    private static func encode(_ name: String) -> String {
        var encoded = ""
        for scalar in name.unicodeScalars {
            switch scalar {
            case "\"": encoded += "%22"
            case "%": encoded += "%25"
            case "\r": encoded += "%0D"
            case "\n": encoded += "%0A"
            case "\0": encoded += "%00"
            default: encoded.unicodeScalars.append(scalar)
            }
        }
        return encoded
    }
}

extension MediaDescription {
    /// Whether the medium is there for one file, and for nothing else (RFC 5547).
    public var isFile: Bool { self.hasAttribute("file-selector") }

    /// The file that is offered or asked for; nil when the medium is no file transfer.
    ///
    /// - Throws: ``SDPError`` when the attribute breaks its grammar.
    public func fileSelector() throws(SDPError) -> FileSelector? {
        guard let value = self.attribute("file-selector") else { return nil }
        return try FileSelector(value)
    }

    /// The name of the transfer (RFC 5547 section 6): a new one means a new transfer, the same one the same transfer.
    public var fileTransferID: String? { self.attribute("file-transfer-id") }

    /// The octets to send, counted from 1; the end is nil for `*`, the end of the file.
    public var fileRange: (start: UInt64, end: UInt64?)? {
        guard let value = self.attribute("file-range") else { return nil }
        let parts = value.split(separator: "-", maxSplits: 1)
        guard parts.count == 2, let start = ByteText.decimal(parts[0].utf8), start > 0 else { return nil }
        if parts[1] == "*" { return (start, nil) }
        guard let end = ByteText.decimal(parts[1].utf8), end >= start else { return nil }
        return (start, end)
    }
}
