internal import ByteGrammar

/// Reads the lines of a description and sorts them into session and media.
struct SessionParser {
    private let bytes: [UInt8]
    private let limits: SDPLimits
    private var scanner: LineScanner
    private var lines: [Line] = []
    private var media: [MediaDescription] = []
    private var lineCount = 0

    /// Kinds that may stand once, and before the media only.
    private static let single: [Line.Kind] = [.version, .origin, .sessionName]
    private static let sessionOnly: [Line.Kind] = single + [.time, .repeatTimes, .timeZones, .uri, .email, .phone]

    init(_ bytes: [UInt8], limits: SDPLimits) throws(SDPError) {
        guard !bytes.isEmpty else { throw SDPError(.empty, "v=0", offset: 0) }
        guard bytes.count <= limits.maximumBytes else {
            throw SDPError(.descriptionTooLarge, "at most \(limits.maximumBytes) octets", offset: limits.maximumBytes)
        }
        self.bytes = bytes
        self.limits = limits
        self.scanner = LineScanner(bytes)
    }

    mutating func parse() throws(SDPError) -> SessionDescription {
        while let found = self.scanner.next() {
            // Some senders close with an empty line.
            if found.range.isEmpty, self.scanner.position == self.bytes.count, self.lineCount > 0 { break }
            try self.take(found.range)
        }
        guard self.lines.first(of: .origin) != nil else {
            throw SDPError(.missingOrigin, "an o= line", offset: self.bytes.count)
        }
        return SessionDescription(lines: self.lines, media: self.media)
    }

    private mutating func take(_ range: Range<Int>) throws(SDPError) {
        let offset = range.lowerBound
        self.lineCount += 1
        guard self.lineCount <= self.limits.maximumLines else {
            throw SDPError(.tooManyLines, "at most \(self.limits.maximumLines) lines", offset: offset)
        }
        guard range.count <= self.limits.maximumLineBytes else {
            throw SDPError(.lineTooLong, "at most \(self.limits.maximumLineBytes) octets", offset: offset)
        }
        guard range.count >= 2, ByteSet.alpha.contains(self.bytes[offset]), self.bytes[offset + 1] == UInt8(ascii: "=")
        else { throw SDPError(.malformedLine, "letter=value", offset: offset) }
        let value = self.bytes[offset + 2..<range.upperBound]
        if let bad = value.firstIndex(where: { $0 == 0 || $0 == 0x0D }) {
            throw SDPError(.invalidCharacter, "no NUL and no bare CR", offset: bad)
        }
        let line = Line(Line.Kind(letter: self.bytes[offset]), slice: value)
        if self.lineCount == 1 {
            guard line.kind == .version, value.elementsEqual([UInt8(ascii: "0")]) else {
                throw SDPError(.invalidVersion, "v=0 in the first line", offset: offset)
            }
        }
        try self.check(line, at: offset)
        if line.kind == .media {
            guard self.media.count < self.limits.maximumMedia else {
                throw SDPError(.tooManyMedia, "at most \(self.limits.maximumMedia) media", offset: offset)
            }
            guard let medium = MediaDescription(line: line) else {
                throw SDPError(.invalidMedia, "media port proto format", offset: offset)
            }
            self.media.append(medium)
        } else if self.media.isEmpty {
            self.lines.append(line)
        } else {
            self.media[self.media.count - 1].lines.append(line)
        }
    }

    private func check(_ line: Line, at offset: Int) throws(SDPError) {
        if Self.single.contains(line.kind), self.lines.contains(where: { $0.kind == line.kind }) {
            throw SDPError(.duplicateLine, "one such line", offset: offset)
        }
        if !self.media.isEmpty, Self.sessionOnly.contains(line.kind) {
            throw SDPError(.misplacedLine, "session lines before the media", offset: offset)
        }
        switch line.kind {
        case .origin where Origin(line.value) == nil:
            throw SDPError(.invalidOrigin, "user id version network-type address-type address", offset: offset)
        case .connection where Connection(line.value) == nil:
            throw SDPError(.invalidConnection, "network-type address-type address", offset: offset)
        case .origin, .connection: break
        // White space after the equals sign is an error everywhere but in the free text of the session's name.
        case .sessionName, .information: break
        case _ where line.slice.first == 0x20:
            throw SDPError(.malformedLine, "no space after the equals sign", offset: offset + 2)
        default: break
        }
    }
}
