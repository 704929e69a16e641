/// Names, attribute values, character data and what is skipped.
extension XMLReader {
    func peek(_ ahead: Int = 0) -> UInt8? {
        let index = self.position + ahead
        return index < self.bytes.count ? self.bytes[index] : nil
    }

    func hasPrefix(_ prefix: [UInt8]) -> Bool {
        self.bytes[self.position...].starts(with: prefix)
    }

    func error(_ code: XMLError.Code, _ reason: String) -> XMLError {
        XMLError(code, reason, offset: self.position)
    }

    @discardableResult
    mutating func skipSpace() -> Bool {
        let start = self.position
        while let byte = self.peek(), XMLCharacters.isSpace(byte) { self.position += 1 }
        return self.position > start
    }

    /// Checks once that the whole document is UTF-8 and holds only the characters of XML.
    func validateCharacters() throws(XMLError) {
        var index = 0
        while index < self.bytes.count {
            let byte = self.bytes[index]
            if byte < 0x80 {
                guard byte >= 0x20 || XMLCharacters.isSpace(byte) else {
                    throw XMLError(.invalidCharacter, "no control character", offset: index)
                }
                index += 1
                continue
            }
            guard let (scalar, width) = Self.decodeScalar(self.bytes, at: index) else {
                throw XMLError(.invalidEncoding, "UTF-8", offset: index)
            }
            guard XMLCharacters.isAllowed(scalar) else {
                throw XMLError(.invalidCharacter, "a character of XML", offset: index)
            }
            index += width
        }
    }

    /// Decodes one scalar of two to four octets, refusing overlong forms, surrogates and cut sequences.
    private static func decodeScalar(_ bytes: [UInt8], at index: Int) -> (scalar: UInt32, width: Int)? {
        let lead = bytes[index]
        let (width, initial, least): (Int, UInt32, UInt32)
        switch lead {
        case 0xC2...0xDF: (width, initial, least) = (2, UInt32(lead & 0x1F), 0x80)
        case 0xE0...0xEF: (width, initial, least) = (3, UInt32(lead & 0x0F), 0x800)
        case 0xF0...0xF4: (width, initial, least) = (4, UInt32(lead & 0x07), 0x10000)
        default: return nil
        }
        guard bytes.count - index >= width else { return nil }
        var scalar = initial
        for offset in 1..<width {
            let byte = bytes[index + offset]
            guard byte & 0xC0 == 0x80 else { return nil }
            scalar = scalar << 6 | UInt32(byte & 0x3F)
        }
        guard scalar >= least, scalar <= 0x10FFFF, !(0xD800...0xDFFF).contains(scalar) else { return nil }
        return (scalar, width)
    }

    /// Text of a range that was found to be UTF-8 when the reader was made.
    func string(_ range: Range<Int>) -> String {
        String(decoding: self.bytes[range], as: UTF8.self)
    }

    mutating func readRawName() throws(XMLError) -> Range<Int> {
        let start = self.position
        while let byte = self.peek(), XMLCharacters.canStandInName(byte) { self.position += 1 }
        let range = start..<self.position
        guard range.count <= self.limits.maximumNameBytes else {
            throw XMLError(.nameTooLong, "at most \(self.limits.maximumNameBytes) octets", offset: start)
        }
        let scalars = self.string(range).unicodeScalars
        guard let first = scalars.first, XMLCharacters.isNameStart(first), scalars.allSatisfy(XMLCharacters.isName)
        else { throw XMLError(.malformed, "a name", offset: start) }
        return range
    }

    /// Splits a qualified name at its one colon.
    func split(_ range: Range<Int>) throws(XMLError) -> (prefix: String, local: String) {
        let name = self.bytes[range]
        guard let colon = name.firstIndex(of: UInt8(ascii: ":")) else { return ("", self.string(range)) }
        let local = self.string(colon + 1..<range.upperBound)
        guard colon > range.lowerBound, let first = local.unicodeScalars.first, first != ":",
            XMLCharacters.isNameStart(first), !local.utf8.contains(UInt8(ascii: ":"))
        else { throw XMLError(.malformed, "a prefix and a name", offset: range.lowerBound) }
        return (self.string(range.lowerBound..<colon), local)
    }

    mutating func readAttribute() throws(XMLError) -> RawAttribute {
        let start = self.position
        let (prefix, local) = try self.split(try self.readRawName())
        self.skipSpace()
        guard self.peek() == UInt8(ascii: "=") else { throw self.error(.malformed, "= of an attribute") }
        self.position += 1
        self.skipSpace()
        guard let quote = self.peek(), quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") else {
            throw self.error(.malformed, "a quoted value")
        }
        self.position += 1
        var value: [UInt8] = []
        while let byte = self.peek(), byte != quote {
            switch byte {
            case UInt8(ascii: "<"):
                throw self.error(.malformed, "no < in a value")
            case UInt8(ascii: "&"):
                value.append(contentsOf: try self.readReference())
            case 0x0D where self.peek(1) == 0x0A:
                self.position += 1
            case 0x09, 0x0A, 0x0D:
                value.append(0x20)
                self.position += 1
            default:
                value.append(byte)
                self.position += 1
            }
        }
        guard self.peek() == quote else { throw self.error(.unexpectedEnd, "the closing quote") }
        self.position += 1
        return RawAttribute(
            prefix: prefix,
            local: local,
            value: String(decoding: value, as: UTF8.self),
            offset: start
        )
    }

    /// Reads character data up to the next `<`, which must come.
    mutating func readText() throws(XMLError) -> String {
        var text: [UInt8] = []
        while let byte = self.peek(), byte != UInt8(ascii: "<") {
            switch byte {
            case UInt8(ascii: "&"):
                text.append(contentsOf: try self.readReference())
            case UInt8(ascii: "]") where self.hasPrefix([0x5D, 0x5D, 0x3E]):
                throw self.error(.malformed, "no ]]> in text")
            case 0x0D:
                // Line ends come out as a single line feed.
                if self.peek(1) != 0x0A { text.append(0x0A) }
                self.position += 1
            default:
                text.append(byte)
                self.position += 1
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    private mutating func readReference() throws(XMLError) -> [UInt8] {
        let start = self.position
        // The longest reference is a character reference with leading zeros; nobody writes more than these.
        let longest = 16
        let rest = self.bytes[(start + 1)...].prefix(longest)
        guard let end = rest.firstIndex(of: UInt8(ascii: ";")), end > start + 1 else {
            throw XMLError(.malformed, "a reference", offset: start)
        }
        let body = self.string(start + 1..<end)
        self.position = end + 1
        switch body {
        case "amp": return [UInt8(ascii: "&")]
        case "lt": return [UInt8(ascii: "<")]
        case "gt": return [UInt8(ascii: ">")]
        case "quot": return [UInt8(ascii: "\"")]
        case "apos": return [UInt8(ascii: "'")]
        default: break
        }
        guard body.hasPrefix("#") else {
            throw XMLError(.undefinedEntity, "one of the five entities of XML, not &\(body);", offset: start)
        }
        let digits = body.dropFirst()
        let isHex = digits.hasPrefix("x")
        let number = isHex ? digits.dropFirst() : digits
        guard let first = number.utf8.first, first != UInt8(ascii: "+"), first != UInt8(ascii: "-"),
            let value = UInt32(number, radix: isHex ? 16 : 10), XMLCharacters.isAllowed(value),
            let scalar = Unicode.Scalar(value)
        else { throw XMLError(.invalidCharacterReference, "a legal character", offset: start) }
        return Array(String(Character(scalar)).utf8)
    }

    mutating func readCDATA() throws(XMLError) -> String {
        self.position += 9
        let end = try self.find([0x5D, 0x5D, 0x3E], expecting: "]]>")
        let raw = self.string(self.position..<end)
        self.position = end + 3
        guard raw.utf8.contains(0x0D) else { return raw }
        var normalised: [UInt8] = []
        var previous: UInt8 = 0
        for byte in raw.utf8 {
            if byte == 0x0D {
                normalised.append(0x0A)
            } else if byte != 0x0A || previous != 0x0D {
                normalised.append(byte)
            }
            previous = byte
        }
        return String(decoding: normalised, as: UTF8.self)
    }

    mutating func skipComment() throws(XMLError) {
        self.position += 4
        let end = try self.find([0x2D, 0x2D], expecting: "-->")
        self.position = end
        guard self.peek(2) == UInt8(ascii: ">") else { throw self.error(.malformed, "no -- in a comment") }
        self.position = end + 3
    }

    mutating func skipProcessingInstruction() throws(XMLError) {
        self.position += 2
        let target = self.string(try self.readRawName())
        guard target.lowercased() != "xml" else { throw self.error(.malformed, "the declaration only at the start") }
        guard !target.utf8.contains(UInt8(ascii: ":")) else { throw self.error(.malformed, "a target without colon") }
        guard self.hasPrefix([0x3F, 0x3E]) || self.skipSpace() else { throw self.error(.malformed, "white space") }
        self.position = try self.find([0x3F, 0x3E], expecting: "?>") + 2
    }

    /// Reads the XML declaration if there is one; only the encoding matters.
    mutating func skipDeclaration() throws(XMLError) {
        guard self.hasPrefix(Array("<?xml".utf8)), let after = self.peek(5), XMLCharacters.isSpace(after) else {
            return
        }
        self.position += 5
        // The three come in this order, the first always.
        let order = ["version", "encoding", "standalone"]
        var next = 0
        while true {
            let hadSpace = self.skipSpace()
            if self.hasPrefix([0x3F, 0x3E]) { break }
            guard hadSpace else { throw self.error(.malformed, "white space or ?>") }
            let attribute = try self.readAttribute()
            guard attribute.prefix.isEmpty, let place = order.firstIndex(of: attribute.local), place >= next,
                place == 0 || next > 0
            else { throw XMLError(.malformed, "version, encoding, standalone", offset: attribute.offset) }
            next = place + 1
            try Self.checkDeclaration(attribute)
        }
        guard next > 0 else { throw self.error(.malformed, "a version") }
        self.position += 2
    }

    private static func checkDeclaration(_ attribute: RawAttribute) throws(XMLError) {
        switch attribute.local {
        case "version":
            let minor = attribute.value.dropFirst(2)
            guard attribute.value.hasPrefix("1."), String(minor).unsignedInteger != nil else {
                throw XMLError(.malformed, "version 1.0", offset: attribute.offset)
            }
        case "encoding":
            let encoding = attribute.value.lowercased()
            guard ["utf-8", "utf8", "us-ascii"].contains(encoding) else {
                throw XMLError(.unsupportedEncoding, "UTF-8, not \(encoding)", offset: attribute.offset)
            }
        default:
            guard ["yes", "no"].contains(attribute.value) else {
                throw XMLError(.malformed, "yes or no", offset: attribute.offset)
            }
        }
    }

    private func find(_ needle: [UInt8], expecting expected: String) throws(XMLError) -> Int {
        var index = self.position
        while index + needle.count <= self.bytes.count {
            if self.bytes[index] == needle[0], self.bytes[index...].starts(with: needle) { return index }
            index += 1
        }
        throw XMLError(.unexpectedEnd, expected, offset: self.bytes.count)
    }
}
