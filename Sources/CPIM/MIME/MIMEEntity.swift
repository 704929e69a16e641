internal import ByteGrammar

/// Content with its MIME headers (RFC 2045).
public struct MIMEEntity: Sendable, Hashable {
    /// The headers, in order.
    public var headers: [MIMEHeader]
    /// The content as it is carried, transfer encoding and all.
    public var body: ArraySlice<UInt8>

    /// Makes an entity.
    public init(headers: [MIMEHeader], body: some Sequence<UInt8>) {
        self.headers = headers
        self.body = Array(body)[...]
    }

    /// Makes an entity of one media type.
    public init(contentType: String, body: some Sequence<UInt8>) {
        self.init(headers: [MIMEHeader("Content-Type", contentType)], body: body)
    }

    /// Reads an entity: headers, an empty line, content.
    ///
    /// An entity may begin with the empty line and so have no headers; when it ends within the headers it has no
    /// content.
    ///
    /// - Throws: ``CPIMError`` when a line is no header or a limit is passed.
    public init(parsing bytes: [UInt8], limits: CPIMLimits = .standard) throws(CPIMError) {
        guard bytes.count <= limits.maximumBytes else {
            throw CPIMError(.messageTooLarge, "at most \(limits.maximumBytes) octets", offset: limits.maximumBytes)
        }
        try self.init(parsing: bytes, from: 0, limits: limits)
    }

    init(parsing bytes: [UInt8], from start: Int, to end: Int? = nil, limits: CPIMLimits) throws(CPIMError) {
        let end = end ?? bytes.count
        var scanner = LineScanner(bytes, from: start)
        var headers: [MIMEHeader] = []
        var current: Range<Int>?
        var bodyStart = end
        while scanner.position < end, let line = scanner.next() {
            let range = line.range.clamped(to: start..<end)
            if range.isEmpty {
                bodyStart = min(scanner.position, end)
                break
            }
            if ByteText.isBlank(bytes[range.lowerBound]), let open = current {
                current = open.lowerBound..<range.upperBound
            } else {
                if let open = current { headers.append(try MIMEHeader(lines: bytes[open])) }
                current = range
            }
            guard headers.count < limits.maximumHeaders else {
                throw CPIMError(.tooManyHeaders, "at most \(limits.maximumHeaders) headers", offset: range.lowerBound)
            }
            guard let open = current, open.count <= limits.maximumHeaderBytes else {
                throw CPIMError(
                    .headerTooLong,
                    "at most \(limits.maximumHeaderBytes) octets",
                    offset: range.lowerBound
                )
            }
        }
        if let open = current { headers.append(try MIMEHeader(lines: bytes[open])) }
        self.headers = headers
        self.body = bytes[bodyStart..<end]
    }

    /// The entity in octets.
    public var bytes: [UInt8] {
        var output: [UInt8] = []
        self.write(to: &output)
        return output
    }

    func write(to output: inout [UInt8]) {
        for header in self.headers { header.write(to: &output) }
        output.append(contentsOf: [0x0D, 0x0A])
        output.append(contentsOf: self.body)
    }

    /// The value of the first header with a name, compared without case.
    public func header(_ name: String) -> String? { self.headers.first { $0.isNamed(name) }?.value }

    /// The media type; nil when there is no Content-Type or it is none.
    public var mediaType: MediaType? { self.header("Content-Type").flatMap { try? MediaType($0) } }

    /// The media type, `text/plain` when there is no Content-Type (RFC 2045 section 5.2).
    public var effectiveMediaType: MediaType {
        self.mediaType ?? MediaType(type: "text", subtype: "plain", parameters: [])
    }

    /// The disposition, such as `notification` or `render`, in small letters and without parameters.
    public var disposition: String? {
        self.header("Content-Disposition").map { value in
            ByteText.string(ByteText.trim(Array(value.utf8.prefix { $0 != UInt8(ascii: ";") })[...])).lowercased()
        }
    }
}
