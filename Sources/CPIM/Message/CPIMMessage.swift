internal import ByteGrammar

/// A `message/cpim` (RFC 3862): message headers, then a MIME entity.
///
/// Headers are kept as they came, in order, known or not, so that what is printed is what was read (only bare LF line
/// ends become CRLF, and a separator that was missing is put in).
public struct CPIMMessage: Sendable, Hashable {
    /// The media type.
    public static let contentType = "message/cpim"

    /// The message headers, in order.
    public var headers: [CPIMHeader]
    /// The content with its own MIME headers.
    public var content: MIMEEntity

    /// Makes a message.
    public init(headers: [CPIMHeader], content: MIMEEntity) {
        self.headers = headers
        self.content = content
    }

    /// Reads a message.
    ///
    /// A Content-Length inside is no framing and is passed over. When the empty line before the MIME headers is
    /// missing and they stand among the message headers, as in an example of RFC 5438, they are taken from there.
    ///
    /// - Throws: ``CPIMError`` when the message is empty, a line is no header, the content is missing, or a limit is
    ///   passed.
    public init(parsing bytes: [UInt8], limits: CPIMLimits = .standard) throws(CPIMError) {
        guard !bytes.isEmpty else { throw CPIMError(.empty, "message headers", offset: 0) }
        guard bytes.count <= limits.maximumBytes else {
            throw CPIMError(.messageTooLarge, "at most \(limits.maximumBytes) octets", offset: limits.maximumBytes)
        }
        var scanner = LineScanner(bytes)
        var headers: [CPIMHeader] = []
        var isSeparated = false
        while let line = scanner.next() {
            guard !line.range.isEmpty else {
                isSeparated = true
                break
            }
            let offset = line.range.lowerBound
            guard headers.count < limits.maximumHeaders else {
                throw CPIMError(.tooManyHeaders, "at most \(limits.maximumHeaders) headers", offset: offset)
            }
            guard line.range.count <= limits.maximumHeaderBytes else {
                throw CPIMError(.headerTooLong, "at most \(limits.maximumHeaderBytes) octets", offset: offset)
            }
            headers.append(try CPIMHeader(line: bytes[line.range]))
        }
        guard isSeparated else {
            throw CPIMError(.missingSeparator, "an empty line after the headers", offset: bytes.count)
        }
        let misplaced = headers.filter(Self.isContentHeader).map { MIMEHeader($0.name, $0.encodedValue) }
        if misplaced.contains(where: { $0.isNamed("Content-Type") }) {
            self.headers = headers.filter { !Self.isContentHeader($0) }
            self.content = MIMEEntity(headers: misplaced, body: bytes[scanner.position...])
        } else {
            self.headers = headers
            self.content = try MIMEEntity(parsing: bytes, from: scanner.position, limits: limits)
        }
    }

    private static func isContentHeader(_ header: CPIMHeader) -> Bool {
        header.prefix == nil && header.name.utf8.allSatisfy { $0 < 0x80 }
            && header.name.lowercased().hasPrefix("content-")
    }

    /// The message in octets.
    public var bytes: [UInt8] {
        var output: [UInt8] = []
        for header in self.headers { header.write(to: &output) }
        output.append(contentsOf: [0x0D, 0x0A])
        self.content.write(to: &output)
        return output
    }
}
