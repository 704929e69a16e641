internal import ByteGrammar

/// A header of a MIME entity, kept octet for octet as it came.
public struct MIMEHeader: Sendable, Hashable {
    /// The name; it is compared without case.
    public let name: String
    /// What stands after the colon, folds and all.
    let rawValue: ArraySlice<UInt8>

    /// Makes a header; line ends in the value become spaces.
    public init(_ name: String, _ value: String) {
        self.name = name
        self.rawValue = Array(" \(value)".utf8).map { $0 == 0x0D || $0 == 0x0A || $0 == 0 ? 0x20 : $0 }[...]
    }

    /// Reads a header from its line and the lines that continue it, without the last line end.
    init(lines: ArraySlice<UInt8>) throws(CPIMError) {
        guard let colon = lines.firstIndex(of: UInt8(ascii: ":")), colon > lines.startIndex,
            lines[..<colon].allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else { throw CPIMError(.malformedHeader, "name: value", offset: lines.startIndex) }
        if let bad = lines.firstIndex(of: 0) {
            throw CPIMError(.invalidCharacter, "no NUL", offset: bad)
        }
        self.name = ByteText.string(lines[..<colon])
        self.rawValue = lines[(colon + 1)...]
    }

    /// Whether the header has a name, compared without case.
    public func isNamed(_ name: String) -> Bool { ASCII.equalIgnoringCase(self.name, name) }

    /// The value in one line: folds become a space, white space around is dropped.
    public var value: String {
        guard self.rawValue.contains(0x0A) else { return ByteText.string(ByteText.trim(self.rawValue)) }
        let lines = self.rawValue.split { $0 == 0x0A || $0 == 0x0D }
        return lines.map { ByteText.string(ByteText.trim($0)) }.filter { !$0.isEmpty }.joined(separator: " ")
    }

    func write(to output: inout [UInt8]) {
        output.append(contentsOf: self.name.utf8)
        output.append(UInt8(ascii: ":"))
        var previous: UInt8 = 0
        for byte in self.rawValue {
            if byte == 0x0A, previous != 0x0D { output.append(0x0D) }
            output.append(byte)
            previous = byte
        }
        output.append(contentsOf: [0x0D, 0x0A])
    }
}
